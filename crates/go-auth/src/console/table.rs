//! Columns that fit: what is too long is broken onto further lines.

use super::terminal::{Mark, PLAIN, Terminal};
use anstyle::Style;

/// Between two columns.
const GAP: usize = 2;

/// Before a note below a row.
const NOTE_INDENT: usize = 5;

/// No column is made narrower.
const NARROWEST: usize = 10;

/// A line of a table, of several where cells are broken.
pub(crate) struct Row {
    pub(crate) cells: Vec<String>,
    /// One of each cell.
    pub(crate) styles: Vec<Style>,
    /// Told on a line of its own below, in the style of the last cell.
    pub(crate) note: Option<String>,
}

impl Row {
    /// All cells alike.
    pub(crate) fn of(cells: impl IntoIterator<Item = String>, style: Style) -> Self {
        let cells: Vec<_> = cells.into_iter().collect();
        Self {
            styles: vec![style; cells.len()],
            cells,
            note: None,
        }
    }
}

/// The rows in columns as wide as they need to be, and together no wider than the
/// terminal, and none wider than its cap, where it has one.
pub(crate) fn table(rows: &[Row], caps: &[usize], terminal: &Terminal) -> String {
    let columns = rows.iter().map(|row| row.cells.len()).max().unwrap_or(0);
    let gaps = GAP * columns.saturating_sub(1);
    let widths = fitted(rows, columns, caps, terminal.width.saturating_sub(gaps));
    let mut text = String::new();
    for row in rows {
        let cells: Vec<Vec<String>> = (row.cells.iter().zip(&widths))
            .map(|(cell, width)| broken(cell, *width))
            .collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(0);
        for line in 0..height {
            let mut owed = 0;
            for (column, cell) in cells.iter().enumerate() {
                let part = cell.get(line).map_or("", String::as_str);
                if !part.is_empty() {
                    text.push_str(&" ".repeat(owed));
                    let style = row.styles.get(column).copied().unwrap_or(PLAIN);
                    text.push_str(&terminal.paint(style, part));
                    owed = 0;
                }
                owed += widths[column] + GAP - part.chars().count();
            }
            text.push('\n');
        }
        if let Some(note) = &row.note {
            let style = row.styles.last().copied().unwrap_or(PLAIN);
            for line in broken(note, terminal.width.saturating_sub(NOTE_INDENT)) {
                text.push_str(&" ".repeat(NOTE_INDENT));
                text.push_str(&terminal.paint(style, &line));
                text.push('\n');
            }
        }
    }
    text
}

/// Takes from the widest column until all fit: first from those that can be broken
/// at spaces.
fn fitted(rows: &[Row], columns: usize, caps: &[usize], room: usize) -> Vec<usize> {
    let widest = |column: usize, width: fn(&str) -> usize| {
        let cells = rows.iter().filter_map(|row| row.cells.get(column));
        cells.map(|cell| width(cell)).max().unwrap_or(0)
    };
    let natural = (0..columns).map(|column| widest(column, |cell| cell.chars().count()));
    let caps = caps.iter().copied().chain(std::iter::repeat(usize::MAX));
    let mut widths: Vec<_> = natural
        .zip(caps)
        .map(|(natural, cap)| natural.min(cap))
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
pub(crate) fn paragraph(label: &str, text: &str, terminal: &Terminal) -> String {
    let label_width = label.chars().count() + 1;
    let lines = broken(
        text,
        terminal.width.saturating_sub(label_width).max(NARROWEST),
    );
    let indent = format!("\n{}", " ".repeat(label_width));
    format!("{label} {}\n", lines.join(&indent))
}

/// A verdict: a paragraph behind its mark, in its style.
pub(crate) fn marked(mark: Mark, text: &str, terminal: &Terminal) -> String {
    let said = paragraph(terminal.mark(mark), text, terminal);
    let painted: Vec<_> = said
        .lines()
        .map(|line| terminal.paint(mark.style().bold(), line))
        .collect();
    painted.join("\n") + "\n"
}

/// What to do next, below all else.
pub(crate) fn advice(next: &str, terminal: &Terminal) -> String {
    format!("\n{}", paragraph("next:", next, terminal))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terminal(width: usize) -> Terminal {
        Terminal {
            colour: false,
            unicode: false,
            width,
        }
    }

    fn row(cells: &[&str]) -> Row {
        Row::of(cells.iter().map(|cell| (*cell).to_owned()), PLAIN)
    }

    #[test]
    fn a_table_is_no_wider_than_it_needs_to_be() {
        let rows = [row(&["a", "bb", "ccc"]), row(&["aaaa", "b", ""])];
        assert_eq!(table(&rows, &[], &terminal(40)), "a     bb  ccc\naaaa  b\n");
    }

    #[test]
    fn the_widest_column_is_broken_to_fit() {
        let long = "one two three four five six seven";
        let rows = [row(&["name", long]), row(&["other", "short"])];
        let text = table(&rows, &[], &terminal(24));
        assert_eq!(
            text,
            "name   one two three\n       four five six\n       seven\nother  short\n"
        );
        for line in text.lines() {
            assert!(line.len() <= 24, "{line}");
        }
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
