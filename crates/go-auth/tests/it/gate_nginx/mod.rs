//! The gate behind a real nginx, with `examples/gate/nginx.conf` as it is shipped.
//!
//! Needs nginx (Debian's `nginx-light`), which `.ci/run` installs and without which these
//! tests fail:
//!
//! ```text
//! cargo test --package go-auth --test it -- --ignored gate_nginx
//! ```

mod load;
mod smuggling;
pub(crate) mod stage;
mod verdicts;
