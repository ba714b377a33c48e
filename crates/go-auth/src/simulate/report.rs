//! What is said of a distributor, and what follows.

use std::ops::RangeInclusive;

use reqwest::Url;
use serde::{Serialize, Serializer};

use super::attempts::Attempt;
use super::distributor::Answer;
use derbysoft_go_auth::inspect::show::cut;
use derbysoft_go_simulator::{Expected, SamplePush};

/// A contract, told in `docs/guide/cli.md`. Texts of the peer's are cut.
#[derive(Serialize)]
pub(super) struct Report {
    pub(super) verdict: Verdict,
    pub(super) distributor: String,
    simulator: String,
    path: &'static str,
    /// Why not all of them could be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    pub(super) pushes: Vec<PushReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    AsExpected,
    Unexpected,
    /// The distributor or the simulator could not be reached.
    Unknown,
}

/// All pushes of one name.
#[derive(Serialize)]
pub(super) struct PushReport {
    pub(super) push: &'static str,
    pub(super) about: &'static str,
    #[serde(serialize_with = "name_of")]
    pub(super) expected: Expected,
    pub(super) answers: Vec<Answered>,
    /// None where no answer came.
    pub(super) ok: Option<bool>,
    /// The beginning of the first answer that was not as expected, or else of the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) body: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) times: u32,
}

// The shape that serde's attribute asks for.
#[expect(clippy::trivially_copy_pass_by_ref)]
fn name_of<S: Serializer>(expected: &Expected, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(expected.as_str())
}

impl PushReport {
    pub(super) fn unsent(attempt: &Attempt) -> Self {
        Self {
            push: attempt.name,
            about: attempt.about,
            expected: attempt.expected,
            answers: Vec::new(),
            ok: None,
            body: None,
        }
    }

    pub(super) fn hear(&mut self, answer: &Answer) {
        let is_expected = match (self.expected, answer.status) {
            (Expected::LetIn, status) => is_let_in(status),
            (Expected::Refused, status) => is_refused(status),
            (_, status) => is_let_in(status) || is_refused(status),
        };
        if self.ok.is_none() || self.ok == Some(true) && !is_expected {
            self.body = Some(cut(&answer.body)).filter(|body| !body.is_empty());
        }
        self.ok = Some(self.ok.unwrap_or(true) && is_expected);
        let known = (self.answers.iter_mut()).find(|known| known.status == answer.status);
        match known {
            Some(known) => known.times += 1,
            None => self.answers.push(Answered {
                status: answer.status,
                times: 1,
            }),
        }
    }

    pub(super) fn was_let_in(&self) -> bool {
        self.answers.iter().any(|answer| is_let_in(answer.status))
    }
}

/// A redirect is neither, and nor is a server's failure.
fn is_let_in(status: u16) -> bool {
    const SUCCESS: RangeInclusive<u16> = 200..=299;
    SUCCESS.contains(&status)
}

/// 404 and the like, too: that is how a distributor ignores a push.
fn is_refused(status: u16) -> bool {
    const CLIENT_ERROR: RangeInclusive<u16> = 400..=499;
    CLIENT_ERROR.contains(&status)
}

impl Report {
    pub(super) fn new(distributor: &Url, simulator: &Url, sample: SamplePush) -> Self {
        Self {
            verdict: Verdict::Unknown,
            distributor: cut(distributor.as_str()),
            simulator: cut(simulator.as_str()),
            path: sample.path(),
            error: None,
            pushes: Vec::new(),
            next: None,
        }
    }

    /// A hole that was found is one, even where what came after it could not be sent.
    pub(super) fn conclude(&mut self) {
        if self.pushes.iter().all(|push| push.ok.is_none()) {
            self.pushes.clear();
        }
        let bad = || self.pushes.iter().filter(|push| push.ok == Some(false));
        self.verdict = if bad().next().is_some() {
            Verdict::Unexpected
        } else if self.error.is_some() {
            Verdict::Unknown
        } else {
            Verdict::AsExpected
        };
        let of = |expected| bad().filter(move |push| push.expected == expected);
        self.next = if of(Expected::Refused).any(PushReport::was_let_in) {
            Some(
                "Somebody who is not GO gets in by what was let in above. Have the API accept \
                 RS256 alone, with keys from GO's key address alone, and check signature, issuer, \
                 audience and times of every token.",
            )
        } else if of(Expected::LetIn).next().is_some() {
            Some(
                "GO itself is shut out. Compare the API's issuer, audience and key address with \
                 those of the simulator (GET /simulator), and see whether it reaches that address \
                 and takes pushes at this path.",
            )
        } else if bad().next().is_some() {
            Some("A bad token is refused with 401 or 403. See the API's log for why it was not.")
        } else if self.error.is_some() {
            Some(
                "See whether `go-auth simulate` and the API run, and at these addresses (curl -v).",
            )
        } else if !self
            .pushes
            .iter()
            .any(|push| push.expected == Expected::LetIn)
        {
            Some("No good push was among these: an API that refuses all would do as well.")
        } else {
            None
        };
    }
}
