//! What a gate goes through while something fails, and what must hold meanwhile and
//! afterwards.

use std::time::Instant;

use rustix::process::Signal;

use super::fault::{Begun, Fault};
use super::rows::{Part, Row};
use super::stage::{LogTo, Source, Stage, TOKENS, until};
use test_support::wire::head;
use test_support::{eventually, millis, secs};

/// What a token is worth that must not count, or of which that is not known yet.
const NOT_ACCEPTED: [u16; 2] = [401, 503];

impl Row {
    fn may_lose(&self, part: Part) -> bool {
        self.lost.contains(&part)
    }

    pub(super) async fn lives(&self) {
        let mut stage = Stage::start(self.set).await;
        let before = stage.files_and_threads();
        let dropped = stage.metric("go_auth_gate_log_dropped_total").await;
        let withdrawn = {
            let fault = self.fault.begin(&stage).await;
            let withdrawn = self.endures(&stage).await;
            self.is_hit(&fault).await;
            fault.end(&stage);
            withdrawn
        };
        self.recovers(&stage, &withdrawn, dropped).await;
        eventually("files and threads are closed", || {
            let now = stage.files_and_threads();
            // Those of a fetch or a write, at the moment; and threads that look up names in
            // turn, so that none is idle for long.
            let spare = if self.set.source == Source::Name {
                20
            } else {
                2
            };
            now.iter()
                .zip(before)
                .all(|(now, before)| *now <= before + spare)
        })
        .await;

        let fault = self.fault.begin(&stage).await;
        stage.gate.signal(Signal::HUP);
        // As long as until the next fetch.
        tokio::time::sleep(secs(1)).await;
        stage.ends(fault).await;
    }

    async fn is_hit(&self, fault: &Begun) {
        eventually("something fails", || fault.has_hit()).await;
    }

    /// The token of a key that was withdrawn meanwhile.
    async fn endures(&self, stage: &Stage) -> String {
        let go = &stage.go;
        let mut known = go.signing_kid();
        let withdrawn = stage.rotate();
        let new = go.token();
        for forged in ["a.b.c", &stage.unknown()] {
            assert!(NOT_ACCEPTED.contains(&stage.verdict(forged).await));
        }
        let mut another = stage.gate.connect().await;
        if !self.may_lose(Part::Connections) {
            until("a new connection is served", async || {
                let request = head("GET", "/auth", &[]);
                if another.ask(&request).await.is_some() {
                    return true;
                }
                another = stage.gate.connect().await;
                false
            })
            .await;
        }
        assert_eq!(stage.status("/healthz").await.status, 200);
        assert_eq!(stage.status("/readyz").await.status, 200);
        if self.may_lose(Part::Keys) {
            assert_eq!(stage.verdict(&new).await, 503);
        } else {
            stage.accepts(&new).await;
            self.rejects(stage, &withdrawn).await;
            known = go.signing_kid();
        }

        // Tokens and settings change.
        stage.files.write_tokens(true);
        let may_fail = self.may_lose(Part::Reload);
        stage.reload(true, &known, may_fail).await;
        if !self.may_lose(Part::Tokens) {
            until("the revoked token is rejected", async || {
                stage.verdict(TOKENS[0]).await == 401
            })
            .await;
        }
        assert_eq!(stage.verdict(TOKENS[1]).await, 200);

        // GO's keys can't be fetched, and the settings change once more.
        let genuine = go.mint_as(&known).expires_in(3600).token();
        stage.outage();
        let unpublished = go.rotate_unpublished();
        let (begun, before) = (Instant::now(), go.fetches());
        while begun.elapsed() < millis(1200) {
            assert_eq!(stage.verdict(&stage.unknown()).await, 503);
            assert_ne!(stage.verdict(&go.token()).await, 401);
            assert_eq!(stage.verdict(&genuine).await, 200);
        }
        stage.reload(false, &known, may_fail).await;
        assert_eq!(stage.verdict(&genuine).await, 200);
        if !self.may_lose(Part::Keys) {
            self.rejects(stage, &withdrawn).await;
        }
        // Twice a second at first, and once more for each reload.
        let (fetches, seconds) = (go.fetches() - before, begun.elapsed().as_secs());
        let most = 5 + 2 * usize::try_from(seconds).expect("a number");
        assert!(fetches <= most, "{fetches} fetches in {seconds} s");
        stage.snapshot();

        go.restore(&unpublished);
        stage.heal();
        withdrawn
    }

    async fn rejects(&self, stage: &Stage, withdrawn: &str) {
        until("the withdrawn key is rejected", async || {
            NOT_ACCEPTED.contains(&stage.verdict(withdrawn).await)
        })
        .await;
    }

    async fn recovers(&self, stage: &Stage, withdrawn: &str, dropped: u64) {
        let go = &stage.go;
        let log = stage.log().len();
        stage.accepts(&go.token()).await;
        self.rejects(stage, withdrawn).await;
        let known = go.signing_kid();
        stage.reload(true, &known, false).await;
        assert_eq!(stage.verdict(TOKENS[0]).await, 401);
        assert_eq!(stage.verdict(TOKENS[1]).await, 200);
        stage.files.replace(&stage.files.tokens(), "token = []");
        stage.reload(false, &known, false).await;
        assert_eq!(stage.verdict(TOKENS[1]).await, 401);

        stage.has_written(&known).await;
        if !self.may_lose(Part::Leftovers) {
            eventually("nothing is left behind", || {
                stage.files.leftovers().is_empty()
            })
            .await;
        }
        until("the keys are fresh", async || {
            stage.status("/readyz").await.body.contains("\"fresh\"")
        })
        .await;
        self.logs_again(stage, log).await;
        if self.may_lose(Part::Log) || self.may_lose(Part::LogForGood) {
            let now = stage.metric("go_auth_gate_log_dropped_total").await;
            assert!(now > dropped, "{now} lines were dropped");
        }
    }

    /// The log goes on, in whole lines.
    async fn logs_again(&self, stage: &Stage, length: usize) {
        if self.may_lose(Part::LogForGood) || self.set.log == LogTo::Closed {
            return;
        }
        eventually("the log goes on", || {
            let log = stage.log();
            log.ends_with('\n') && log[length..].contains("settings reloaded")
        })
        .await;
        let log = stage.log();
        let torn: Vec<_> = log.lines().filter(|line| !self.is_whole(line)).collect();
        match (&torn[..], self.fault) {
            ([], _) => {}
            // What there was room for, on a line of its own.
            ([half], Fault::LogLimit(room)) if half.len() as u64 <= room => {}
            _ => panic!("{torn:#?}"),
        }
    }

    fn is_whole(&self, line: &str) -> bool {
        if self.set.format == "json" {
            serde_json::from_str::<serde_json::Value>(line).is_ok()
        } else {
            // One moment, at its beginning.
            line.starts_with("20") && line.matches("derbysoft_go_auth::").count() == 1
        }
    }
}
