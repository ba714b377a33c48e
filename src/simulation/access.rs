//! Access Tokens: what GO has issued, what is in the file, and what must be accepted.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use fastrand::Rng;

use super::seen::TICK;
use super::time::At;
use crate::authenticate::VerifyErrorKind as Kind;
use crate::clock::UnixTime;

const DAY: u64 = 86_400;

/// How often the file is read.
const INTERVAL: Duration = Duration::from_secs(10);

#[derive(Debug, Clone)]
struct Entry {
    token: String,
    issued: u64,
    is_revoked: bool,
}

/// What the file is at one time.
#[derive(Debug, Clone)]
enum File {
    Good(Vec<Entry>),
    /// With a fault: only what it revokes counts.
    Faulty(Vec<Entry>),
    Missing,
}

pub(super) struct Access {
    path: PathBuf,
    /// What the operator has in mind.
    entries: Vec<Entry>,
    /// What is in use beyond doubt, and what was written since, with when it counts.
    settled: Vec<Entry>,
    pending: VecDeque<(Duration, File)>,
}

impl Access {
    /// With a token that ends soon, and one that has a successor.
    pub(super) fn new(path: PathBuf, now: At, rng: &mut Rng) -> Self {
        let now = now.true_time.as_secs();
        let ages = [180 * DAY - rng.u64(1..7200), 7 * DAY - rng.u64(1..7200)];
        let ages = if rng.bool() { ages } else { [179 * DAY, 100] };
        let mut access = Self {
            path,
            entries: Vec::new(),
            settled: Vec::new(),
            pending: VecDeque::new(),
        };
        for age in ages {
            let issued = now - age;
            access.entries.push(entry(rng, issued));
        }
        access
    }

    pub(super) fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// A process begins: with a good file, or it would not.
    pub(super) fn starts(&mut self) {
        std::fs::write(&self.path, text(&self.entries)).expect("written");
        self.settled = self.entries.clone();
        self.pending.clear();
    }

    /// The operator changes the file, or somebody breaks it. `None` if nobody can know
    /// whether the last change was read before.
    pub(super) fn changes(
        &mut self,
        now: At,
        takes: Duration,
        undriven: Duration,
        rng: &mut Rng,
    ) -> Option<String> {
        self.settle(now, undriven);
        if !self.pending.is_empty() {
            return None;
        }
        let (what, file) = match rng.u8(0..8) {
            0..3 => {
                // The current one and its successor; whatever was revoked stays.
                let current = self.entries.iter().rposition(|entry| !entry.is_revoked);
                let token = current.map(|at| self.entries[at].token.clone());
                self.entries
                    .retain(|entry| entry.is_revoked || Some(&entry.token) == token.as_ref());
                let issued = now.true_time.as_secs() - rng.u64(0..3) * DAY * 3;
                let last = self.entries.last().map_or(0, |entry| entry.issued);
                self.entries.push(entry(rng, issued.max(last + 1)));
                let from = self.entries.len().saturating_sub(12);
                self.entries.drain(..from);
                ("renewed", File::Good(self.entries.clone()))
            }
            3 | 4 => {
                if let Some(last) = self.entries.last_mut() {
                    last.is_revoked = true;
                }
                if rng.bool() {
                    ("revoked", File::Good(self.entries.clone()))
                } else {
                    (
                        "revoked in a faulty file",
                        File::Faulty(self.entries.clone()),
                    )
                }
            }
            5 => {
                self.entries.clear();
                ("all removed", File::Good(Vec::new()))
            }
            6 => ("missing", File::Missing),
            _ => ("as they were", File::Good(self.entries.clone())),
        };
        match &file {
            File::Good(entries) => std::fs::write(&self.path, text(entries)),
            File::Faulty(entries) => {
                let fault = "\n[[token]]\napi = \"availability-peer\"\n";
                std::fs::write(&self.path, text(entries) + fault)
            }
            File::Missing => std::fs::remove_file(&self.path).or(Ok(())),
        }
        .expect("written");
        self.pending
            .push_back((now.elapsed + INTERVAL + takes + TICK, file));
        Some(format!("the Access Tokens are {what}"))
    }

    /// What counts beyond doubt by now.
    fn settle(&mut self, now: At, undriven: Duration) {
        while let Some((counts, file)) = self.pending.front()
            && *counts < now.elapsed
            && undriven + INTERVAL < now.elapsed
        {
            self.settled = applied(&self.settled, file);
            self.pending.pop_front();
        }
    }

    /// One that was configured, or none.
    pub(super) fn token(&self, rng: &mut Rng) -> String {
        let known = self.settled.iter().chain(&self.entries);
        let known: Vec<_> = known.map(|entry| &entry.token).collect();
        match rng.u8(0..8) {
            0 => hex(rng),
            _ => rng.choice(known).cloned().unwrap_or_else(|| hex(rng)),
        }
    }

    /// What is wrong with a verdict. Until a change counts, either is right.
    pub(super) fn fault(
        &mut self,
        token: &str,
        verdict: Result<(), Kind>,
        now: At,
        undriven: Duration,
    ) -> Option<String> {
        self.settle(now, undriven);
        let mut entries = self.settled.clone();
        let mut right = vec![expected(&entries, token, now.wall)];
        for (_, file) in &self.pending {
            entries = applied(&entries, file);
            right.push(expected(&entries, token, now.wall));
        }
        (!right.contains(&verdict))
            .then(|| format!("an Access Token gets {verdict:?}, not {right:?}"))
    }
}

fn hex(rng: &mut Rng) -> String {
    format!("{:032x}", rng.u128(..))
}

fn entry(rng: &mut Rng, issued: u64) -> Entry {
    Entry {
        token: hex(rng),
        issued,
        is_revoked: false,
    }
}

fn text(entries: &[Entry]) -> String {
    if entries.is_empty() {
        return "token = []\n".to_owned();
    }
    let mut text = String::new();
    for Entry {
        token,
        issued,
        is_revoked,
    } in entries
    {
        let issued = UnixTime::from_secs(*issued);
        write!(
            text,
            "[[token]]\napi = \"availability-peer\"\ntoken = \"{token}\"\nissued = {issued}\n\
             revoked = {is_revoked}\n"
        )
        .expect("a text grows");
    }
    text
}

/// What is in use after the file was read.
fn applied(entries: &[Entry], file: &File) -> Vec<Entry> {
    match file {
        File::Good(entries) => entries.clone(),
        File::Missing => entries.to_vec(),
        File::Faulty(new) => {
            let mut entries = entries.to_vec();
            for entry in &mut entries {
                entry.is_revoked |= new
                    .iter()
                    .any(|it| it.is_revoked && it.token == entry.token);
            }
            entries
        }
    }
}

fn expected(entries: &[Entry], token: &str, wall: UnixTime) -> Result<(), Kind> {
    let entry =
        (entries.iter().find(|entry| entry.token == token)).ok_or(Kind::UnknownAccessToken)?;
    if entry.is_revoked {
        return Err(Kind::AccessTokenRevoked);
    }
    let successors = entries.iter().filter(|other| other.issued > entry.issued);
    let until = (successors.map(|other| other.issued + 7 * DAY))
        .chain([entry.issued + 180 * DAY])
        .min()
        .expect("its own end");
    if UnixTime::from_secs(entry.issued) > wall.saturating_add(Duration::from_secs(DAY)) {
        Err(Kind::NotYetValid)
    } else if wall >= UnixTime::from_secs(until) {
        Err(Kind::AccessTokenExpired)
    } else {
        Ok(())
    }
}
