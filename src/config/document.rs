//! Settings from a TOML document.
//!
//! It is walked, not deserialized at once, so that all faults are reported, each with its
//! line, and no value is repeated.

use memchr::memchr_iter;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::layers::{Layers, Table};
use super::sources::Source;
use super::value::Value;
use crate::fault::MAX_FAULTS;

/// Where the lines of a text end.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(memchr_iter(b'\n', text.as_bytes()).collect())
    }

    /// The line of the byte at `offset`, counted from 1.
    fn at(&self, offset: usize) -> usize {
        self.0.partition_point(|end| *end < offset) + 1
    }
}

impl<'a> Layers<'a> {
    /// Reads a document. If part of it is not TOML, the faults in the rest are still
    /// reported.
    pub(super) fn document(&mut self, text: &'a str) {
        let lines = Lines::of(text);
        let (root, errors) = DeTable::parse_recoverable(text);
        let mut broken: Vec<_> = (errors.iter())
            .map(|error| {
                let at = error.span().map_or(0, |span| span.start);
                (lines.at(at), at, error.message())
            })
            .collect();
        broken.sort_by_key(|(line, at, _)| (*line, *at));
        // Only the first of each line: the others follow from it.
        broken.dedup_by_key(|(line, ..)| *line);
        broken.truncate(MAX_FAULTS);
        let mut next = broken.iter().peekable();
        for (name, member) in in_order(root.into_inner()) {
            let line = lines.at(member.start);
            while let Some((line, _, message)) = next.next_if(|broken| broken.0 <= line) {
                self.add_syntax(*line, &without_controls(message));
            }
            let is_broken = |(of, at, _): &(usize, usize, &str)| {
                *of == line || (member.start..=member.end).contains(at)
            };
            match member.value {
                _ if broken.iter().any(is_broken) => {}
                DeValue::Array(entries) if name == "issuers" && are_tables(&entries) => {
                    // Where they end is unknown.
                    if broken.is_empty() {
                        self.take_issuers(line, tables(entries, &lines));
                    }
                }
                value => self.take(&name, Source::Line(line), Value::Toml(value)),
            }
        }
        for (line, _, message) in next {
            self.add_syntax(*line, &without_controls(message));
        }
    }
}

/// A value, and where its name starts in the text.
struct Member<'a> {
    start: usize,
    end: usize,
    value: DeValue<'a>,
}

/// The members of a table in the order of the text.
fn in_order(table: DeTable<'_>) -> Vec<(String, Member<'_>)> {
    let mut members: Vec<_> = (table.into_iter())
        .map(|(name, value)| {
            let member = Member {
                start: name.span().start,
                end: value.span().end,
                value: value.into_inner(),
            };
            (name.into_inner().into_owned(), member)
        })
        .collect();
    members.sort_by_key(|(_, member)| member.start);
    members
}

fn are_tables(entries: &DeArray<'_>) -> bool {
    (entries.iter()).all(|entry| matches!(entry.get_ref(), DeValue::Table(_)))
}

fn tables<'a>(entries: DeArray<'a>, lines: &Lines) -> Vec<Table<'a>> {
    let table = |entry: Spanned<DeValue<'a>>| {
        let line = lines.at(entry.span().start);
        let DeValue::Table(table) = entry.into_inner() else {
            return None;
        };
        let members = (in_order(table).into_iter())
            .map(|(name, member)| (name, lines.at(member.start), Value::Toml(member.value)));
        Some(Table {
            line,
            members: members.collect(),
        })
    };
    entries.into_iter().filter_map(table).collect()
}

fn without_controls(message: &str) -> String {
    (message.chars())
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
