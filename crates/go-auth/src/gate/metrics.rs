//! The metrics, for Prometheus.

#[cfg(target_os = "linux")]
mod process;

use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
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
const LAST_RELOAD_SUCCESS: &str = "go_auth_gate_last_reload_success";
const LAST_RELOAD_TIME: &str = "go_auth_gate_last_reload_timestamp_seconds";
const CONNECTIONS: &str = "go_auth_gate_connections";
const LOG_DROPPED: &str = "go_auth_gate_log_dropped_total";
const BUILD_INFO: &str = "go_auth_build_info";

/// The process's recorder.
#[derive(Debug)]
pub(super) struct Exposition {
    handle: PrometheusHandle,
    dropped: DroppedLines,
    last_reload: ArcSwap<LastReload>,
}

/// The last time that settings were read: at the start, or for a reload.
#[derive(Debug)]
struct LastReload {
    result: Reload,
    at: SystemTime,
}

/// How a reload of the settings ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reload {
    Done,
    Refused,
}

impl Reload {
    const ALL: [Self; 2] = [Self::Done, Self::Refused];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
        }
    }
}

impl LastReload {
    fn now(result: Reload) -> Self {
        let at = SystemTime::now();
        Self { result, at }
    }
}

impl Exposition {
    /// To be called once, by a process that has no other.
    pub(super) fn install(dropped: DroppedLines) -> Result<Self, Failure> {
        let cannot = |error: &dyn Display| Failure::cannot("record metrics", error);
        let recorder = recorder(GAUGE_LIFE).map_err(|error| cannot(&error))?;
        let exposition = Self::of(&recorder, dropped);
        metrics::set_global_recorder(recorder).map_err(|error| cannot(&error))?;
        describe_counter!(RELOADS, "Reloads of the settings, by result");
        describe_gauge!(
            LAST_RELOAD_SUCCESS,
            "Whether the last reload of the settings was done; 1 after the start"
        );
        describe_gauge!(
            LAST_RELOAD_TIME,
            "When the last reload of the settings ended, or the start"
        );
        describe_gauge!(CONNECTIONS, "Open connections");
        describe_counter!(LOG_DROPPED, "Log lines that were not written");
        describe_gauge!(BUILD_INFO, "1 for the version that runs");
        #[cfg(target_os = "linux")]
        process::describe();
        // From the start: a counter that appears with its first increment does not seem
        // to have increased.
        for result in Reload::ALL {
            counter!(RELOADS, "result" => result.as_str()).increment(0);
        }
        Ok(exposition)
    }

    /// One that records nothing.
    #[cfg(test)]
    pub(super) fn apart() -> Self {
        let recorder = recorder(GAUGE_LIFE).expect("buckets");
        Self::of(&recorder, DroppedLines::default())
    }

    fn of(recorder: &PrometheusRecorder, dropped: DroppedLines) -> Self {
        Self {
            handle: recorder.handle(),
            dropped,
            last_reload: ArcSwap::from_pointee(LastReload::now(Reload::Done)),
        }
    }

    /// A reload has ended; to be [counted](reloaded) once it is in the log.
    pub(super) fn last_reload(&self, result: Reload) {
        self.last_reload.store(Arc::new(LastReload::now(result)));
    }

    /// Whether older settings than those in the file are in use.
    pub(super) fn is_last_reload_refused(&self) -> bool {
        self.last_reload.load().result == Reload::Refused
    }

    /// As of now. Sets every gauge first: the exporter drops one that was not set for
    /// long, and does not take it up again when an old handle sets it.
    pub(super) fn render(&self, auth: &GoAuth, connections: usize) -> String {
        auth.record_metrics();
        let connections = u32::try_from(connections).unwrap_or(u32::MAX);
        gauge!(CONNECTIONS).set(connections);
        gauge!(LAST_RELOAD_SUCCESS).set(u8::from(!self.is_last_reload_refused()));
        let at = self.last_reload.load().at.duration_since(UNIX_EPOCH);
        gauge!(LAST_RELOAD_TIME).set(at.unwrap_or_default().as_secs_f64());
        gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1);
        #[cfg(target_os = "linux")]
        process::record();
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

pub(super) fn reloaded(result: Reload) {
    counter!(RELOADS, "result" => result.as_str()).increment(1);
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
        let exposition = Exposition::of(&recorder, DroppedLines::default());
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
                    "go_auth_gate_last_reload_success 1",
                    "go_auth_keys{issuer=\"https://id/X\"} 0",
                    "go_auth_token_cache_bytes 0",
                ] {
                    assert!(after.lines().any(|other| other == line), "{after}");
                }
            }
        });
    }
}
