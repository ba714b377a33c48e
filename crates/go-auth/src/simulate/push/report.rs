//! What is reported of a distributor, and what follows.

use reqwest::Url;
use serde::Serialize;

use super::distributor::Answer;
use derbysoft_go_auth::inspect::show::cut;
use derbysoft_go_simulator::{Expected, SamplePush, SampleToken};

/// A contract: see `docs/guide/cli.md`. Texts of the peer's are cut.
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
    #[serde(rename = "push")]
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    #[serde(skip)]
    pub(super) credential: Credential,
    pub(super) expected: Expected,
    pub(super) answers: Vec<Answered>,
    /// None where no answer came.
    pub(super) ok: Option<bool>,
    /// The beginning of the first answer that was not as expected, or else of the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) body: Option<String>,
}

/// What a push carries.
pub(super) enum Credential {
    None,
    /// The header's value.
    Fixed(String),
    /// A token that the simulator makes for each push.
    Minted {
        sample: SampleToken,
        bare: bool,
    },
}

#[derive(Serialize)]
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) times: u32,
}

impl PushReport {
    pub(super) const fn unsent(
        name: &'static str,
        about: &'static str,
        expected: Expected,
        credential: Credential,
    ) -> Self {
        Self {
            name,
            about,
            credential,
            expected,
            answers: Vec::new(),
            ok: None,
            body: None,
        }
    }

    pub(super) fn record(&mut self, answer: &Answer) {
        let is_expected = match (self.expected, answer.status) {
            (Expected::LetIn, status) => is_accepted(status),
            (Expected::Refused, status) => is_rejected(status),
            (_, status) => is_accepted(status) || is_rejected(status),
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

    pub(super) fn was_accepted(&self) -> bool {
        self.answers.iter().any(|answer| is_accepted(answer.status))
    }
}

/// A redirect is neither, and nor is a server's failure.
fn is_accepted(status: u16) -> bool {
    (200..=299).contains(&status)
}

/// 404 and the like, too: that is how a distributor ignores a push.
fn is_rejected(status: u16) -> bool {
    (400..=499).contains(&status)
}

impl Report {
    /// A hole found stays one, even where later pushes could not be sent. `error`: why not
    /// all were.
    pub(super) fn of(
        distributor: &Url,
        simulator: &Url,
        sample: SamplePush,
        mut pushes: Vec<PushReport>,
        error: Option<String>,
    ) -> Self {
        if pushes.iter().all(|push| push.ok.is_none()) {
            pushes.clear();
        }
        let bad = || pushes.iter().filter(|push| push.ok == Some(false));
        let of = |expected| bad().filter(move |push| push.expected == expected);
        let was_good_sent = pushes.iter().any(|push| push.expected == Expected::LetIn);
        let next = if of(Expected::Refused).any(PushReport::was_accepted) {
            Some(
                "Callers who are not GO get in with what was accepted above. Have the API accept \
                 only RS256, only with keys from GO's key address, and check signature, issuer, \
                 audience and times of every token.",
            )
        } else if of(Expected::LetIn).next().is_some() {
            Some(
                "GO itself is rejected. Compare the API's issuer, audience and key address with \
                 those of the simulator (GET /simulator), and check that it reaches that address \
                 and takes pushes at this path.",
            )
        } else if bad().next().is_some() {
            Some("A bad token should get 401 or 403. See the API's log for why it did not.")
        } else if error.is_some() {
            Some("Check that `go-auth simulate` and the API run at these addresses (curl -v).")
        } else if !was_good_sent {
            Some("No good push was among these: an API that rejects everything would pass, too.")
        } else {
            None
        };
        Self {
            verdict: if bad().next().is_some() {
                Verdict::Unexpected
            } else if error.is_some() {
                Verdict::Unknown
            } else {
                Verdict::AsExpected
            },
            distributor: cut(distributor.as_str()),
            simulator: cut(simulator.as_str()),
            path: sample.path(),
            error,
            pushes,
            next,
        }
    }
}
