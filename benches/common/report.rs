//! A table for people, or a line of JSON per row for programs.

use serde_json::{Map, Value};

/// Named rows of numbers.
pub(crate) struct Report {
    columns: Vec<Column>,
    rows: Vec<(String, Vec<Option<f64>>)>,
}

/// The name of a number, in the table and as a member of a JSON object, and how many
/// decimals are worth printing.
#[derive(Clone, Copy)]
pub(crate) struct Column {
    title: &'static str,
    width: usize,
    member: &'static str,
    decimals: usize,
}

impl Column {
    pub(crate) const NANOSECONDS: Self = Self::new("median ns", "median_ns", 0);
    pub(crate) const TO_FLOOR: Self = Self::new("  ratio to floor", "ratio_to_floor", 4);

    pub(crate) const fn new(title: &'static str, member: &'static str, decimals: usize) -> Self {
        Self {
            title,
            width: if title.len() < 10 { 10 } else { title.len() },
            member,
            decimals,
        }
    }
}

impl Report {
    pub(crate) fn new(columns: impl IntoIterator<Item = Column>) -> Self {
        Self {
            columns: columns.into_iter().collect(),
            rows: Vec::new(),
        }
    }

    /// A row with a number, or none, for each column.
    pub(crate) fn row(
        &mut self,
        name: impl Into<String>,
        numbers: impl IntoIterator<Item = impl Into<Option<f64>>>,
    ) {
        let numbers: Vec<_> = numbers.into_iter().map(Into::into).collect();
        assert_eq!(numbers.len(), self.columns.len(), "a number per column");
        self.rows.push((name.into(), numbers));
    }

    pub(crate) fn print(&self, json: bool) {
        if json {
            self.print_json();
        } else {
            self.print_table();
        }
    }

    fn print_json(&self) {
        for (name, numbers) in &self.rows {
            let mut row = Map::new();
            row.insert("name".to_owned(), name.as_str().into());
            for (column, number) in self.columns.iter().zip(numbers) {
                if let Some(number) = number {
                    row.insert(column.member.to_owned(), (*number).into());
                }
            }
            println!("{}", Value::Object(row));
        }
    }

    fn print_table(&self) {
        let names = self.rows.iter().map(|(name, _)| name.len());
        let name_width = names.max().unwrap_or(0).max(22);
        print!("{:<name_width$}", "name");
        for column in &self.columns {
            print!(" {:>width$}", column.title, width = column.width);
        }
        println!();
        for (name, numbers) in &self.rows {
            print!("{name:<name_width$}");
            for (column, number) in self.columns.iter().zip(numbers) {
                let decimals = column.decimals;
                let number = number.map_or(String::new(), |number| format!("{number:.decimals$}"));
                print!(" {number:>width$}", width = column.width);
            }
            println!();
        }
    }
}
