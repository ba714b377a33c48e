//! What happened how often.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

#[derive(Debug, Default)]
pub(crate) struct Counts {
    events: BTreeMap<&'static str, usize>,
    openings: BTreeMap<&'static str, usize>,
    manners: BTreeMap<&'static str, usize>,
}

impl Counts {
    pub(crate) fn add(&mut self, event: &'static str) {
        *self.events.entry(event).or_default() += 1;
    }

    pub(crate) fn set(&mut self, event: &'static str, times: usize) {
        self.events.insert(event, times);
    }

    pub(crate) fn behaved(&mut self, opening: &'static str, manner: &'static str) {
        *self.openings.entry(opening).or_default() += 1;
        *self.manners.entry(manner).or_default() += 1;
    }

    /// How many answers there were, of all kinds.
    pub(crate) fn behaviours(&self) -> usize {
        self.manners.values().sum()
    }

    pub(crate) fn of(&self, event: &str) -> usize {
        self.events.get(event).copied().unwrap_or_default()
    }
}

impl Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (event, times) in &self.events {
            writeln!(f, "{times:>8}  {event}")?;
        }
        for (title, rows) in [("begins", &self.openings), ("answers", &self.manners)] {
            let least = rows.values().min().copied().unwrap_or_default();
            let most = rows.values().max().copied().unwrap_or_default();
            let (kinds, all) = (rows.len(), self.behaviours());
            writeln!(
                f,
                "{all:>8}  {title} of {kinds} kinds, each {least} to {most} times"
            )?;
        }
        Ok(())
    }
}
