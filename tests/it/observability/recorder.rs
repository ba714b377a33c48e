use derbysoft_go_auth::VERIFY_SECONDS_BUCKETS;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusRecorder};

pub(crate) fn recorder() -> PrometheusRecorder {
    let verifying = Matcher::Full("go_auth_verify_seconds".to_owned());
    PrometheusBuilder::new()
        .set_buckets_for_metric(verifying, &VERIFY_SECONDS_BUCKETS)
        .expect("buckets")
        .build_recorder()
}
