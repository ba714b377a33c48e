//! The guides, as they are in `docs/guide`.
//!
//! - [`getting_started`]: from nothing to a protected API
//! - [`configuration`]: every setting
//! - [`rejecting_or_ignoring`]: what a rejected caller is told
//! - [`layers`]: which layer goes outside this one, and which inside
//! - [`frameworks`]: servers without tower, gRPC, and a proxy
//! - [`operations`]: keys, outages, files and fleets
//! - [`rotation`]: how long an old key or token is accepted
//! - [`refused`]: from the log of a rejected push to the reason
//! - [`observability`]: events, metrics and alerts
//! - [`calling_go`]: your own calls to GO
//! - [`cli`]: the command `go-auth`
//! - [`gate`]: the gate, for API servers of any language
//! - [`proxies`]: what the proxy in front of the gate has to do
//! - [`deploying`]: the gate as a Debian package, under systemd, as an image and in Kubernetes

/// Includes a guide. Of two definitions of a link the first counts, so that these replace
/// the guide's own, which lead to files.
macro_rules! guide {
    ($module:ident, $file:literal) => {
        #[doc = include_str!("links.md")]
        #[doc = include_str!(concat!("../../docs/guide/", $file))]
        pub mod $module {}
    };
}

guide!(getting_started, "getting-started.md");
guide!(configuration, "configuration.md");
guide!(rejecting_or_ignoring, "rejecting-or-ignoring.md");
guide!(layers, "layers.md");
guide!(frameworks, "frameworks.md");
guide!(operations, "operations.md");
guide!(rotation, "rotation.md");
guide!(refused, "refused.md");
guide!(observability, "observability.md");
guide!(cli, "cli.md");
guide!(calling_go, "calling-go.md");
guide!(gate, "gate.md");
guide!(proxies, "proxies.md");
guide!(deploying, "deploying.md");
