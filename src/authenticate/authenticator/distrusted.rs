//! The keys that are distrusted, by settings and by calls, and who inherits that.

use std::sync::{Arc, PoisonError, Weak};

use super::Authenticator;
use crate::sync::MutexGuard;

/// Names of keys.
pub(crate) type Kids = Arc<[Box<str>]>;

/// What a handle distrusts, and the handles that were built as its successors: also those
/// that are not in use yet.
#[derive(Debug, Default)]
pub(crate) struct Distrusted {
    /// Of the settings, until a call replaces them.
    settings: Kids,
    /// Of the last call.
    called: Kids,
    /// Of the last call to a predecessor.
    inherited: Kids,
    successors: Vec<Weak<Authenticator>>,
}

impl Distrusted {
    pub(crate) fn by_settings(settings: Kids) -> Self {
        Self {
            settings,
            ..Self::default()
        }
    }

    /// What a successor inherits.
    pub(crate) fn by_calls(&self) -> Kids {
        union(&self.called, &self.inherited)
    }
}

impl Authenticator {
    /// From now on no key with one of these names verifies anything, here and at every
    /// successor.
    pub(crate) fn distrust(&self, kids: Kids) {
        let mut distrusted = self.distrusted();
        *distrusted = Distrusted {
            called: kids,
            successors: std::mem::take(&mut distrusted.successors),
            ..Distrusted::default()
        };
        let told = self.apply(&mut distrusted);
        drop(distrusted);
        // One of them may have been dropped elsewhere meanwhile, and ends here, not under
        // the lock.
        drop(told);
    }

    /// From now on the successor distrusts what this one is told to distrust.
    pub(crate) fn succeeded_by(&self, successor: &Arc<Self>) {
        let mut distrusted = self.distrusted();
        // Also those of reloads that were refused.
        (distrusted.successors).retain(|earlier| earlier.strong_count() > 0);
        distrusted.successors.push(Arc::downgrade(successor));
        successor.inherit(distrusted.by_calls());
    }

    fn inherit(&self, kids: Kids) -> Vec<Arc<Self>> {
        let mut distrusted = self.distrusted();
        distrusted.inherited = kids;
        self.apply(&mut distrusted)
    }

    /// Under one lock, and under those of all predecessors: of two calls at a time the same
    /// one counts everywhere.
    fn apply(&self, distrusted: &mut Distrusted) -> Vec<Arc<Self>> {
        let by_calls = distrusted.by_calls();
        (self.issuers).distrust(&union(&distrusted.settings, &by_calls));
        let mut told = Vec::new();
        distrusted.successors.retain(|successor| {
            let Some(successor) = successor.upgrade() else {
                return false;
            };
            told.extend(successor.inherit(Arc::clone(&by_calls)));
            told.push(successor);
            true
        });
        told
    }

    pub(crate) fn distrusted(&self) -> MutexGuard<'_, Distrusted> {
        self.distrusted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The names that are in either list.
pub fn union(one: &Kids, other: &Kids) -> Kids {
    if other.is_empty() {
        return Arc::clone(one);
    }
    let more = other.iter().filter(|name| !one.contains(name));
    one.iter().chain(more).cloned().collect()
}
