//! How text is shown: its styles, its marks and its width.
//!
//! Everything is written with colours; where none are wanted, anstream strips them.

use std::io;

use anstyle::{AnsiColor, Style};
use clap::ColorChoice;

use super::{Output, Vars, variable};

/// The width where there is no terminal, and the least and most that is used.
const WIDTH: usize = 100;
const WIDTHS: std::ops::RangeInclusive<usize> = 40..=160;

/// What it takes from the environment.
pub(crate) const VARIABLES: &[(&str, &str)] = &[
    (
        "NO_COLOR, CLICOLOR, CLICOLOR_FORCE",
        "Whether colours are used, unless --color says so.",
    ),
    (
        "COLUMNS",
        "The width of text that does not go to a terminal.",
    ),
    (
        "LC_ALL, LC_CTYPE, LANG",
        "Whether marks are signs or words: signs in UTF-8. The first that is set counts.",
    ),
];

pub(crate) const BAD: Style = AnsiColor::Red.on_default();
pub(crate) const FAINT: Style = Style::new().dimmed();

/// What an output can show.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terminal {
    /// Whether it shows more than ASCII.
    pub(crate) unicode: bool,
    pub(crate) width: usize,
}

/// How something ended, as a mark in front of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Good,
    Bad,
    Open,
}

impl From<Option<bool>> for Mark {
    fn from(ok: Option<bool>) -> Self {
        match ok {
            Some(true) => Self::Good,
            Some(false) => Self::Bad,
            None => Self::Open,
        }
    }
}

impl Mark {
    pub(crate) const fn style(self) -> Style {
        match self {
            Self::Good => AnsiColor::Green.on_default(),
            Self::Bad => BAD,
            Self::Open => AnsiColor::Yellow.on_default(),
        }
    }

    /// The style of what stands behind it in a table.
    pub(crate) const fn cell(self) -> Style {
        match self {
            Self::Good => Style::new(),
            Self::Bad => BAD,
            Self::Open => FAINT,
        }
    }
}

fn var<'a>(vars: &'a Vars, name: &str) -> Option<&'a str> {
    variable(vars, name)?.to_str()
}

pub(crate) fn paint(style: Style, text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    format!("{style}{text}{style:#}")
}

impl Output<'_> {
    /// Writes a painted text.
    pub(crate) fn write(&mut self, colour: ColorChoice, text: &str) -> io::Result<()> {
        let is_coloured = match colour {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => self.colour,
        };
        let stripped = anstream::adapter::strip_str(text);
        let text = if is_coloured {
            text
        } else {
            &stripped.to_string()
        };
        self.to.write_all(text.as_bytes())?;
        self.to.flush()
    }
}

impl Terminal {
    pub(crate) fn of(vars: &Vars, output: &Output<'_>) -> Self {
        let columns = || var(vars, "COLUMNS")?.parse().ok();
        let width = output.width.or_else(columns).unwrap_or(WIDTH);
        Self {
            unicode: shows_unicode(vars),
            width: width.clamp(*WIDTHS.start(), *WIDTHS.end()),
        }
    }

    pub(crate) const fn mark(&self, mark: Mark) -> &'static str {
        let (unicode, ascii) = match mark {
            Mark::Good => ("✓", "ok"),
            Mark::Bad => ("✗", "FAIL"),
            Mark::Open => ("·", "-"),
        };
        if self.unicode { unicode } else { ascii }
    }
}

/// By the character set of the locale (POSIX, "Environment Variables").
fn shows_unicode(vars: &Vars) -> bool {
    let mut names = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter();
    let locale = names.find_map(|name| var(vars, name)).unwrap_or_default();
    let locale = locale.to_ascii_lowercase();
    cfg!(windows) || locale.contains("utf-8") || locale.contains("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terminal(width: Option<usize>, vars: &[(&str, &str)]) -> Terminal {
        let owned = |(name, value): &(&str, &str)| (name.into(), value.into());
        let vars: Vec<_> = vars.iter().map(owned).collect();
        let output = Output {
            to: &mut io::sink(),
            colour: false,
            width,
        };
        Terminal::of(&vars, &output)
    }

    #[test]
    fn the_first_locale_set_decides_the_marks() {
        for (set, unicode) in [
            (&[("LANG", "en_GB.UTF-8")][..], true),
            (&[("LANG", "C.utf8")], true),
            (&[("LC_ALL", "C"), ("LANG", "en_GB.UTF-8")], cfg!(windows)),
            (&[("LC_ALL", ""), ("LC_CTYPE", "C.UTF-8")], true),
            (&[("LANG", "C")], cfg!(windows)),
            (&[], cfg!(windows)),
        ] {
            assert_eq!(terminal(None, set).unicode, unicode, "{set:?}");
        }
    }

    #[test]
    fn the_width_is_the_terminals_within_limits() {
        for (is, columns, width) in [
            (Some(80), "90", 80),
            (None, "90", 90),
            (None, "x", 100),
            (None, "", 100),
            (Some(10), "", 40),
            (Some(1000), "", 160),
        ] {
            assert_eq!(terminal(is, &[("COLUMNS", columns)]).width, width);
        }
    }
}
