//! What a terminal can show, and what its user wants of it.

use std::ffi::OsString;

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;

use super::Output;

/// The width where there is no terminal, and the least and most that is used.
const WIDTH: usize = 100;
const WIDTHS: std::ops::RangeInclusive<usize> = 40..=160;

pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default();
pub(crate) const UNSURE: Style = AnsiColor::Yellow.on_default();
pub(crate) const FAINT: Style = Style::new().dimmed();
pub(crate) const PLAIN: Style = Style::new();

/// When to use colours.
// The documentation is the help.
#[expect(clippy::doc_markdown)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// On a terminal that can, unless NO_COLOR or CLICOLOR=0 is set; with
    /// CLICOLOR_FORCE everywhere
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// How to write to an output.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terminal {
    pub(crate) colour: bool,
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

impl Mark {
    pub(crate) const fn style(self) -> Style {
        match self {
            Self::Good => GOOD,
            Self::Bad => BAD,
            Self::Open => UNSURE,
        }
    }
}

type Vars = [(OsString, OsString)];

fn var<'a>(vars: &'a Vars, name: &str) -> Option<&'a str> {
    let (_, value) = vars.iter().find(|(theirs, _)| theirs == name)?;
    value.to_str().filter(|value| !value.is_empty())
}

impl Terminal {
    pub(crate) fn of(when: When, vars: &Vars, output: &Output<'_>) -> Self {
        let colour = match when {
            When::Always => true,
            When::Never => false,
            When::Auto => wants_colour(vars, output.is_terminal),
        };
        Self {
            colour,
            unicode: shows_unicode(vars),
            width: Self::width_of(vars, output),
        }
    }

    pub(crate) fn width_of(vars: &Vars, output: &Output<'_>) -> usize {
        let columns = || var(vars, "COLUMNS")?.parse().ok();
        let width = output.width.or_else(columns).unwrap_or(WIDTH);
        width.clamp(*WIDTHS.start(), *WIDTHS.end())
    }

    pub(crate) fn paint(&self, style: Style, text: &str) -> String {
        if self.colour && style != PLAIN && !text.is_empty() {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }

    pub(crate) const fn mark(&self, mark: Mark) -> &'static str {
        match (mark, self.unicode) {
            (Mark::Good, true) => "✓",
            (Mark::Bad, true) => "✗",
            (Mark::Open, true) => "·",
            (Mark::Good, false) => "ok",
            (Mark::Bad, false) => "FAIL",
            (Mark::Open, false) => "-",
        }
    }
}

/// As <https://no-color.org> and <https://bixense.com/clicolors> have it.
fn wants_colour(vars: &Vars, is_terminal: bool) -> bool {
    if var(vars, "NO_COLOR").is_some() {
        return false;
    }
    if var(vars, "CLICOLOR_FORCE").is_some_and(|value| value != "0") {
        return true;
    }
    let can = cfg!(windows) || var(vars, "TERM").is_some_and(|term| term != "dumb");
    is_terminal && can && var(vars, "CLICOLOR") != Some("0")
}

/// By the character set of the locale (POSIX, "Environment Variables").
fn shows_unicode(vars: &Vars) -> bool {
    let mut locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter();
    cfg!(windows)
        || locale
            .find_map(|name| var(vars, name))
            .is_some_and(|locale| {
                let locale = locale.to_ascii_lowercase();
                locale.contains("utf-8") || locale.contains("utf8")
            })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vars(vars: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
        let owned = |(name, value): &(&str, &str)| (name.into(), value.into());
        vars.iter().map(owned).collect()
    }

    #[test]
    fn colour_is_for_terminals_that_can_and_users_who_want() {
        let xterm = ("TERM", "xterm-256color");
        for (set, is_terminal, colour) in [
            (&[xterm][..], true, true),
            (&[xterm], false, false),
            (&[("TERM", "dumb")], true, false),
            (&[], true, cfg!(windows)),
            (&[xterm, ("NO_COLOR", "1")], true, false),
            (&[xterm, ("NO_COLOR", "")], true, true),
            (&[xterm, ("CLICOLOR", "0")], true, false),
            (&[("CLICOLOR_FORCE", "1")], false, true),
            (&[xterm, ("CLICOLOR_FORCE", "0")], false, false),
            (&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], true, false),
        ] {
            assert_eq!(wants_colour(&vars(set), is_terminal), colour, "{set:?}");
        }
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
            assert_eq!(shows_unicode(&vars(set)), unicode, "{set:?}");
        }
    }

    #[test]
    fn the_width_is_the_terminals_within_limits() {
        let width = |width: Option<usize>, set: &[(&str, &str)]| {
            let output = Output {
                to: &mut std::io::sink(),
                is_terminal: width.is_some(),
                width,
            };
            Terminal::width_of(&vars(set), &output)
        };
        assert_eq!(width(Some(80), &[("COLUMNS", "90")]), 80);
        assert_eq!(width(None, &[("COLUMNS", "90")]), 90);
        assert_eq!(width(None, &[("COLUMNS", "x")]), 100);
        assert_eq!(width(None, &[]), 100);
        assert_eq!(width(Some(10), &[]), 40);
        assert_eq!(width(Some(1000), &[]), 160);
    }
}
