//! The metrics, for Prometheus.

use std::fmt::Display;
use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, gauge};
use metrics_exporter_prometheus::{
    BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use metrics_util::MetricKindMask;

use crate::console::Failure;
use crate::process::DroppedLines;
use derbysoft_go_auth::GoAuth;
use derbysoft_go_auth::observe::VERIFY_SECONDS_BUCKETS;

/// How long a gauge is exported that is not set any more: that of an issuer which a
/// reload has removed. Those in use are set at each export.
const GAUGE_LIFE: Duration = Duration::from_secs(5 * 60);

/// How often histograms and removed gauges are tidied up, whether or not anybody asks for
/// metrics: as the exporter's own server does.
const UPKEEP: Duration = Duration::from_secs(5);

const RELOADS: &str = "go_auth_gate_reloads_total";
pub(super) const DONE: &str = "done";
pub(super) const REFUSED: &str = "refused";
const CONNECTIONS: &str = "go_auth_gate_connections";
const LOG_DROPPED: &str = "go_auth_gate_log_dropped_total";

/// The process's recorder.
#[derive(Debug)]
pub(super) struct Exposition {
    handle: PrometheusHandle,
    dropped: DroppedLines,
}

impl Exposition {
    /// To be called once, by a process that has no other.
    pub(super) fn install(dropped: DroppedLines) -> Result<Self, Failure> {
        let cannot = |error: &dyn Display| Failure::cannot("record metrics", error);
        let recorder = recorder(GAUGE_LIFE).map_err(|error| cannot(&error))?;
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).map_err(|error| cannot(&error))?;
        describe_counter!(RELOADS, "Reloads of the settings, by result");
        describe_gauge!(CONNECTIONS, "Open connections");
        describe_counter!(LOG_DROPPED, "Log lines that were not written");
        // From the start: a counter that appears with its first increment does not seem
        // to have increased.
        for result in [DONE, REFUSED] {
            counter!(RELOADS, "result" => result).increment(0);
        }
        Ok(Self { handle, dropped })
    }

    /// One that records nothing.
    #[cfg(test)]
    pub(super) fn apart() -> Self {
        Self::of(&recorder(GAUGE_LIFE).expect("buckets"))
    }

    #[cfg(test)]
    fn of(recorder: &PrometheusRecorder) -> Self {
        Self {
            handle: recorder.handle(),
            dropped: DroppedLines::default(),
        }
    }

    /// As of now. Sets every gauge first: the exporter drops one that was not set for
    /// long, and does not take it up again when an old handle sets it.
    pub(super) fn render(&self, auth: &GoAuth, connections: usize) -> String {
        auth.record_metrics();
        let connections = u32::try_from(connections).unwrap_or(u32::MAX);
        gauge!(CONNECTIONS).set(connections);
        counter!(LOG_DROPPED).absolute(self.dropped.count());
        self.handle.render()
    }

    pub(super) async fn keep_up(&self) {
        let mut due = tokio::time::interval(UPKEEP);
        loop {
            due.tick().await;
            self.handle.run_upkeep();
        }
    }
}

/// `result`: [`DONE`] or [`REFUSED`].
pub(super) fn reloaded(result: &'static str) {
    counter!(RELOADS, "result" => result).increment(1);
}

fn recorder(gauge_life: Duration) -> Result<PrometheusRecorder, BuildError> {
    let verifying = Matcher::Full("go_auth_verify_seconds".to_owned());
    Ok(PrometheusBuilder::new()
        .set_buckets_for_metric(verifying, &VERIFY_SECONDS_BUCKETS)?
        .idle_timeout(MetricKindMask::GAUGE, Some(gauge_life))
        .build_recorder())
}

#[cfg(test)]
mod tests {
    use super::super::live::Live;
    use super::*;

    #[test]
    fn a_gauge_not_set_any_more_goes_alone() {
        let recorder = recorder(Duration::from_nanos(1)).expect("buckets");
        let exposition = Exposition::of(&recorder);
        let live = Live::of_nobody();
        let auth = &live.auth;
        metrics::with_local_recorder(&recorder, || {
            gauge!("go_auth_keys", "issuer" => "gone").set(2);
            counter!("go_auth_requests_total").increment(1);
            let before = exposition.render(auth, 3);
            assert!(
                before.contains("go_auth_keys{issuer=\"gone\"} 2"),
                "{before}"
            );
            for _ in 0..3 {
                let after = exposition.render(auth, 3);
                assert!(!after.contains("gone"), "{after}");
                for line in [
                    "go_auth_requests_total 1",
                    "go_auth_gate_connections 3",
                    "go_auth_keys{issuer=\"https://id/X\"} 0",
                    "go_auth_token_cache_bytes 0",
                ] {
                    assert!(after.lines().any(|other| other == line), "{after}");
                }
            }
        });
    }
}
