//! What a recorder renders for Prometheus, parsed.

use std::collections::BTreeMap;

/// One series and its value.
#[derive(Debug, Clone)]
pub struct Series {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

impl Series {
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }

    /// `name{label="value"} number`
    fn read(line: &str) -> Option<Self> {
        let (series, value) = line.rsplit_once(' ')?;
        let (name, labels) = match series.split_once('{') {
            Some((name, labels)) => (name, labels.strip_suffix("\"}")?),
            None => (series, ""),
        };
        // No value in these tests has a quote in it.
        let labels = labels.split("\",").filter(|label| !label.is_empty());
        let labels = labels.map(|label| {
            let (name, value) = label.split_once("=\"").expect("a label");
            (name.to_owned(), value.to_owned())
        });
        Some(Self {
            name: name.to_owned(),
            labels: labels.collect(),
            value: value.parse().ok()?,
        })
    }
}

/// All series.
pub fn series(rendered: &str) -> Vec<Series> {
    let lines = rendered.lines();
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| Series::read(line).unwrap_or_else(|| panic!("no series: {line}")))
        .collect()
}

/// The types of the metrics, by name.
pub fn types(rendered: &str) -> BTreeMap<&str, &str> {
    let lines = rendered
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "));
    lines
        .map(|line| line.split_once(' ').expect("a type"))
        .collect()
}

/// The value of the only series of this name whose labels have these values; `None`
/// where there is none.
pub fn value(rendered: &str, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let mut found = series(rendered).into_iter().filter(|series| {
        let has = |(label, value): &(&str, &str)| series.label(label) == *value;
        series.name == name && labels.iter().all(has)
    });
    let value = found.next().map(|series| series.value);
    assert!(found.next().is_none(), "{name} {labels:?} is several");
    value
}
