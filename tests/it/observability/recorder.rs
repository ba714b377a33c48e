//! A recorder as Prometheus has it, on the thread of a test.

use derbysoft_go_auth::observe::VERIFY_SECONDS_BUCKETS;
use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};

use test_support::recorded::series;

pub(crate) fn recorder() -> PrometheusRecorder {
    let verifying = Matcher::Full("go_auth_verify_seconds".to_owned());
    PrometheusBuilder::new()
        .set_buckets_for_metric(verifying, &VERIFY_SECONDS_BUCKETS)
        .expect("buckets")
        .build_recorder()
}

/// Records on this thread, on which the whole of a test runs.
pub(super) fn recording(
    recorder: &PrometheusRecorder,
) -> (PrometheusHandle, metrics::LocalRecorderGuard<'_>) {
    let guard = metrics::set_default_local_recorder(recorder);
    (recorder.handle(), guard)
}

/// The count of the requests with this outcome and kind, of all issuers.
pub(super) fn requests(handle: &PrometheusHandle, outcome: &str, kind: &str) -> Option<f64> {
    let mut counts = (series(&handle.render()).into_iter())
        .filter(|it| it.name == "go_auth_requests_total")
        .filter(|it| it.label("outcome") == outcome && it.label("kind") == kind)
        .map(|it| it.value);
    counts.next().map(|first| first + counts.sum::<f64>())
}
