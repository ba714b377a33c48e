//! What is logged, and in which format: settings of the process, read once at its start.

use clap::{Args, ValueEnum};
use tracing_subscriber::filter::{Directive, LevelFilter};

use crate::console::{Console, Failure};
use derbysoft_go_auth::inspect::show;

// What stands here as documentation is the help.
#[expect(clippy::doc_markdown)]
#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// The format of the log on standard error. Default: the variable LOG_FORMAT, or text
    #[arg(long, value_enum, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// A line of text for each event
    #[default]
    Text,
    /// A JSON object for each event, on one line
    Json,
}

/// The settings of the log, usable as they are: where a variable is wrong, its default
/// counts until the process has reported the fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LogSettings {
    pub(super) format: LogFormat,
    /// Directives for the filter, which it can read.
    pub(super) filter: String,
    faults: Vec<String>,
}

impl LogArgs {
    pub(crate) const fn are_given(&self) -> bool {
        self.log_format.is_some()
    }

    /// These, or else those of `LOG_FORMAT`; with the filter of `RUST_LOG`, or else
    /// `default_filter`.
    pub(super) fn settings(&self, default_filter: &str, console: &Console<'_>) -> LogSettings {
        let mut faults = Vec::new();
        let variable = |name| console.given(None, name);
        let format = self.log_format.unwrap_or_else(|| {
            let read = variable("LOG_FORMAT").map_or(Ok(LogFormat::default()), |it| format_of(&it));
            read.unwrap_or_else(|fault| {
                faults.push(fault);
                LogFormat::default()
            })
        });
        let filter = filter_of(&variable("RUST_LOG").unwrap_or_default());
        let filter = filter.unwrap_or_else(|wrong| {
            faults.extend(wrong);
            String::new()
        });
        LogSettings {
            format,
            filter: if filter.is_empty() {
                default_filter.to_owned()
            } else {
                filter
            },
            faults,
        }
    }
}

impl LogSettings {
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.faults.is_empty() {
            return Ok(());
        }
        Err(Failure::Usage(self.faults.join("; ")))
    }
}

fn format_of(text: &str) -> Result<LogFormat, String> {
    LogFormat::from_str(text, false)
        .map_err(|_| format!("LOG_FORMAT is {}, not json or text", show::quoted(text)))
}

/// The directives of `RUST_LOG`; empty where there are none. Errors: one for each that
/// can't be read.
fn filter_of(text: &str) -> Result<String, Vec<String>> {
    let directives = || text.split(',').map(str::trim).filter(|it| !it.is_empty());
    let faults: Vec<_> = directives().filter_map(fault_of).collect();
    if faults.is_empty() {
        Ok(directives().collect::<Vec<_>>().join(","))
    } else {
        Err(faults)
    }
}

/// Stricter than [`Directive`], which takes a word that it does not know for a target of
/// which everything is wanted: `RUST_LOG=warning` would log nothing at all.
fn fault_of(directive: &str) -> Option<String> {
    let target_end = directive.find(['=', '[']).unwrap_or(directive.len());
    let (target, rest) = directive.split_at(target_end);
    let is_path = |c: char| c.is_ascii_alphanumeric() || "_:-.".contains(c);
    let is_good = if rest.is_empty() {
        target.parse::<LevelFilter>().is_ok()
    } else {
        target.chars().all(is_path)
            && !rest.ends_with('=')
            && directive.parse::<Directive>().is_ok()
    };
    (!is_good).then(|| {
        format!(
            "RUST_LOG has {}, which is neither a level (off, error, warn, info, debug, trace) \
             nor of the form derbysoft_go_auth=debug",
            show::quoted(directive)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::EnvFilter;

    #[test]
    fn a_filter_that_can_be_read_is_taken_as_it_is() {
        for (text, filter) in [
            ("", ""),
            (" , ", ""),
            ("info", "info"),
            ("WARN", "WARN"),
            ("off", "off"),
            (" info , hyper=debug,", "info,hyper=debug"),
            (
                "derbysoft_go_auth::request=debug",
                "derbysoft_go_auth::request=debug",
            ),
            ("[span]=trace", "[span]=trace"),
            ("hyper[{id=7}]=trace", "hyper[{id=7}]=trace"),
        ] {
            assert_eq!(filter_of(text).as_deref(), Ok(filter), "{text:?}");
            assert!(EnvFilter::builder().parse(filter).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn each_directive_that_cannot_be_read_is_a_fault() {
        for (text, wrong) in [
            ("warning", &["warning"][..]),
            ("inof,hyper=debug", &["inof"]),
            ("hyper", &["hyper"]),
            ("info;hyper=debug", &["info;hyper=debug"]),
            ("hyper=debug info", &["hyper=debug info"]),
            ("hyper=,a=b", &["hyper=", "a=b"]),
            ("[span", &["[span"]),
            ("=", &["="]),
            ("info,\u{fffd}=info", &["\u{fffd}=info"]),
        ] {
            let faults = filter_of(text).expect_err(text);
            let expected: Vec<_> = (wrong.iter())
                .map(|it| format!("RUST_LOG has {}, which is neither", show::quoted(it)))
                .collect();
            assert_eq!(faults.len(), expected.len(), "{faults:?}");
            for (fault, beginning) in faults.iter().zip(expected) {
                assert!(fault.starts_with(&beginning), "{fault}");
            }
        }
    }

    #[test]
    fn only_the_two_formats_are_known() {
        assert_eq!(format_of("json"), Ok(LogFormat::Json));
        assert_eq!(format_of("text"), Ok(LogFormat::Text));
        for text in ["JSON", "xml", " json", "json\n"] {
            let fault = format!("LOG_FORMAT is {}, not json or text", show::quoted(text));
            assert_eq!(format_of(text), Err(fault));
        }
    }
}
