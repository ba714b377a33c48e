//! A bench's command line.

/// The arguments of this process. What cargo adds, such as `--bench`, is ignored.
pub(crate) struct Arguments(Vec<String>);

impl Arguments {
    pub(crate) fn read() -> Self {
        Self(std::env::args().collect())
    }

    /// Whether to print a line of JSON per row instead of a table.
    pub(crate) fn json(&self) -> bool {
        self.flag("json")
    }

    /// Whether `--NAME` is there.
    pub(crate) fn flag(&self, name: &str) -> bool {
        (self.0.iter()).any(|argument| argument.strip_prefix("--") == Some(name))
    }

    /// The number in `--NAME=NUMBER`, or `default`.
    pub(crate) fn number(&self, name: &str, default: usize) -> usize {
        self.value(name)
            .map_or(default, |number| number.parse().expect("a whole number"))
    }

    /// The names in `--only=NAME,…`.
    pub(crate) fn only(&self) -> Option<Vec<&str>> {
        self.value("only").map(|names| names.split(',').collect())
    }

    fn value(&self, name: &str) -> Option<&str> {
        (self.0.iter()).find_map(|argument| {
            argument
                .strip_prefix("--")?
                .strip_prefix(name)?
                .strip_prefix('=')
        })
    }
}
