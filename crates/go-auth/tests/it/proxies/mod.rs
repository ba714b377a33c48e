//! The gate behind each proxy that the guide names: the real program, with its
//! configuration from `examples/gate` as it is shipped.
//!
//! Each test is a case and a proxy; it fails where the proxy is not installed. `.ci/run`
//! installs those that can be had, and runs these tests for each:
//!
//! ```text
//! cargo test --package go-auth --test it -- --ignored proxies::envoy
//! ```
//!
//! | | |
//! |---|---|
//! | `cases` | what holds for all, once |
//! | `proxy` | what is known of a proxy, and the program |
//! | `nginx`, `envoy` … | what is known of this one, and tests of what only it has |
//! | `api`, `php` | what is behind the proxy |
//! | `stage` | all of them together |

/// A test for each case, with this proxy.
macro_rules! every_case {
    ($proxy:expr) => {
        cases_of_the_gate!($proxy);
        every_case! { $proxy;
            smuggling: no_spelling_of_a_header_passes_as_the_gates;
            smuggling: forged_headers_alone_are_not_accepted;
            targets: no_spelling_of_a_target_gets_around_the_gate;
            targets: an_accepted_target_is_the_one_that_the_api_gets;
            targets: a_push_to_the_gates_own_path_reaches_the_api;
            connections: a_verdict_is_of_one_request_of_its_connection;
            connections: no_upgrade_gets_past_the_gate;
            connections: no_tunnel_gets_past_the_gate;
        }
    };
    ($proxy:expr; $($file:ident: $case:ident;)*) => { $(
        #[tokio::test]
        #[ignore = "needs the proxy: see .ci/run"]
        async fn $case() {
            $crate::proxies::cases::$file::$case(&$proxy).await;
        }
    )* };
}

/// The cases that are about what the gate says, and whether it does.
macro_rules! cases_of_the_gate {
    ($proxy:expr) => {
        every_case! { $proxy;
            verdicts: a_genuine_push_reaches_the_api_with_its_caller;
            verdicts: an_access_token_reaches_the_api_as_its_api;
            verdicts: a_large_push_reaches_the_api;
            verdicts: every_method_gets_its_verdict;
            verdicts: a_rejected_request_never_reaches_the_api;
            verdicts: claims_of_any_characters_are_one_header_each;
            logs: a_rejections_line_has_the_trace_of_the_push;
            outages: an_outage_of_the_keys_is_503_and_no_rejection;
            outages: without_its_gate_the_api_is_closed;
            outages: a_gate_that_hangs_closes_the_api_too;
        }
    };
}

mod apache;
pub(crate) mod api;
mod caddy;
mod cases;
mod envoy;
mod haproxy;
pub(crate) mod nginx;
mod nginx_php;
mod php;
pub(crate) mod proxy;
mod server;
pub(crate) mod stage;
mod traefik;
