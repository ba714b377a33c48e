//! Columns that fit: what is too long is broken onto further lines.
//!
//! By hand: the crates for tables (comfy-table, tabled) have no notes across columns,
//! break addresses anywhere and pad lines with spaces. A character is a column here,
//! since all but the marks is printable ASCII.

use std::fmt::Write as _;
use std::iter;

use anstyle::Style;

use super::terminal::{FAINT, Mark, Terminal, paint};

/// Between two columns.
const GAP: usize = 2;

/// Before a note below a row.
pub(crate) const NOTE_INDENT: usize = 5;

/// No column is made narrower.
const NARROWEST: usize = 10;

/// A line of a table, or several where cells are broken.
pub(crate) struct Row {
    pub(crate) mark: Mark,
    pub(crate) cells: Vec<(String, Style)>,
    /// On lines of its own below, in the style of the last cell.
    pub(crate) note: Option<String>,
}

/// The rows behind their marks, in columns as wide as they need to be, and together no
/// wider than the terminal, and none wider than its cap, where it has one. Nothing where
/// there are no rows.
pub(crate) fn table(heads: &[&str], rows: &[Row], caps: &[usize], terminal: &Terminal) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let heads = heads.iter().map(|head| (*head, FAINT));
    let mut lines: Vec<Vec<_>> = vec![iter::once(("", FAINT)).chain(heads).collect()];
    lines.extend(rows.iter().map(|row| {
        let mark = (terminal.mark(row.mark), row.mark.style());
        let cells = row.cells.iter().map(|(cell, style)| (&**cell, *style));
        iter::once(mark).chain(cells).collect()
    }));
    let widths = fitted(&lines, caps, terminal.width);
    let notes = iter::once(None).chain(rows.iter().map(|row| row.note.as_deref()));
    let mut text = String::new();
    for (line, note) in lines.iter().zip(notes) {
        let cells = line.iter().zip(&widths);
        let cells: Vec<_> = cells
            .map(|((cell, style), width)| (broken(cell, *width), *style, width + GAP))
            .collect();
        let height = cells.iter().map(|(lines, ..)| lines.len()).max();
        for at in 0..height.unwrap_or(0) {
            let mut line = String::new();
            for (lines, style, width) in &cells {
                let part = lines.get(at).map_or("", String::as_str);
                let padding = width - part.chars().count();
                let _ = write!(line, "{}{:padding$}", paint(*style, part), "");
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        if let Some(note) = note {
            let style = line.last().map_or(FAINT, |(_, style)| *style);
            let room = terminal.width.saturating_sub(NOTE_INDENT);
            for line in note.lines().flat_map(|line| broken(line, room)) {
                let _ = writeln!(text, "{:NOTE_INDENT$}{}", "", paint(style, &line));
            }
        }
    }
    text
}

/// Takes from the widest column until all fit: first from those that can be broken
/// at spaces.
fn fitted(lines: &[Vec<(&str, Style)>], caps: &[usize], room: usize) -> Vec<usize> {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let room = room.saturating_sub(GAP * columns.saturating_sub(1));
    let widest = |column: usize, width: fn(&str) -> usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|(cell, _)| width(cell)).max().unwrap_or(0)
    };
    let cap = |column: usize| caps.get(column).copied().unwrap_or(usize::MAX);
    let mut widths: Vec<_> = (0..columns)
        .map(|column| widest(column, |cell| cell.chars().count()).min(cap(column)))
        .collect();
    let of_words: Vec<_> = (0..columns)
        .map(|column| widest(column, longest_word).max(NARROWEST))
        .collect();
    for least in [of_words, vec![NARROWEST; columns]] {
        while widths.iter().sum::<usize>() > room {
            let can_shrink = widths.iter_mut().zip(&least);
            let can_shrink = can_shrink.filter(|(width, least)| **width > **least);
            match can_shrink.max_by_key(|(width, _)| **width) {
                Some((width, _)) => *width -= 1,
                None => break,
            }
        }
    }
    widths
}

fn longest_word(text: &str) -> usize {
    let words = text.split(' ').map(|word| word.chars().count());
    words.max().unwrap_or(0)
}

/// A text in lines of at most `width`: broken at spaces, or else after a mark that
/// separates, or else anywhere.
pub(crate) fn broken(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest: Vec<char> = text.chars().collect();
    while rest.len() > width {
        let within = &rest[..width];
        let space = (1..=width).rev().find(|at| rest[*at] == ' ');
        let mark = within
            .iter()
            .rposition(|c| matches!(c, '/' | ',' | '.' | '-'));
        let at = match (space, mark) {
            (Some(at), _) => at,
            (None, Some(mark)) if mark > width / 2 => mark + 1,
            _ => width,
        };
        let line: String = rest.drain(..at.max(1)).collect();
        lines.push(line);
        let spaces = rest.iter().take_while(|c| **c == ' ').count();
        rest.drain(..spaces);
    }
    lines.push(rest.into_iter().collect());
    lines
}

/// A paragraph behind a label, its further lines under its first.
fn paragraph(label: &str, text: &str, terminal: &Terminal) -> String {
    let label_width = label.chars().count() + 1;
    let lines = broken(
        text,
        terminal.width.saturating_sub(label_width).max(NARROWEST),
    );
    let indent = format!("\n{}", " ".repeat(label_width));
    format!("{label} {}\n", lines.join(&indent))
}

/// A verdict behind its mark and in its style, the table that it rests on, facts behind
/// their labels, and what to do next.
pub(crate) fn page(
    (mark, said): (Mark, String),
    table: &str,
    facts: &[(&str, String)],
    next: Option<&str>,
    terminal: &Terminal,
) -> String {
    let said = paragraph(terminal.mark(mark), &said, terminal);
    let paint = |line| paint(mark.style().bold(), line) + "\n";
    let facts = facts
        .iter()
        .map(|(label, text)| paragraph(label, text, terminal));
    let next = next.map(|next| paragraph("next:", next, terminal));
    let parts = [
        said.lines().map(paint).collect(),
        table.to_owned(),
        facts.collect(),
        next.unwrap_or_default(),
    ];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn terminal(width: usize) -> Terminal {
        Terminal {
            unicode: false,
            width,
        }
    }

    fn row(cells: &[&str]) -> Row {
        Row {
            mark: Mark::Good,
            cells: (cells.iter())
                .map(|cell| ((*cell).to_owned(), Style::new()))
                .collect(),
            note: None,
        }
    }

    #[test]
    fn a_table_is_no_wider_than_it_needs_to_be() {
        assert_eq!(
            plain(&["a", "bb", "ccc"], &[row(&["aaaa", "b", ""])], 40),
            "    a     bb  ccc\nok  aaaa  b\n"
        );
        assert_eq!(plain(&["a"], &[], 40), "");
    }

    #[test]
    fn the_widest_column_is_broken_to_fit() {
        let long = "one two three four five six seven";
        let rows = [row(&["name", long]), row(&["other", "short"])];
        let text = plain(&["", ""], &rows, 28);
        assert_eq!(
            text,
            "\nok  name   one two three\n           four five six\n           seven\n\
             ok  other  short\n"
        );
        for line in text.lines() {
            assert!(line.len() <= 28, "{line}");
        }
    }

    fn plain(heads: &[&str], rows: &[Row], width: usize) -> String {
        let text = table(heads, rows, &[], &terminal(width));
        anstream::adapter::strip_str(&text).to_string()
    }

    #[test]
    fn a_long_word_breaks_after_a_slash_or_anywhere() {
        assert_eq!(
            broken("https://id.example/keys", 20),
            ["https://id.example/", "keys"]
        );
        assert_eq!(broken("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(broken("a", 3), ["a"]);
        assert_eq!(broken("", 3), [""]);
    }

    #[test]
    fn a_paragraph_hangs_from_its_label() {
        assert_eq!(
            paragraph("next:", "go on and on", &terminal(16)),
            "next: go on and\n      on\n"
        );
    }
}
