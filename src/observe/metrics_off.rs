//! Stands in for [`metrics`](super::metrics) without the feature: nothing is counted, and
//! no clock is read for it.

use std::sync::Arc;
use std::time::Duration;

use super::requests::Kind;
use crate::clock::Clock;

#[derive(Debug)]
pub(crate) struct Meter;

#[allow(
    clippy::unused_self,
    clippy::trivially_copy_pass_by_ref,
    reason = "the same as with the feature"
)]
impl Meter {
    pub(super) fn new(_: &[Kind], _issuers: &[Arc<str>]) -> Self {
        Self
    }

    pub(super) const fn accepted(&self, _issuer: Option<usize>) {}

    pub(super) const fn refused(&self, _kind: usize, _issuer: Option<usize>) {}

    pub(super) const fn observed(&self, _kind: usize, _issuer: Option<usize>) {}

    pub(crate) const fn cache_hit(&self) {}

    pub(crate) const fn cache_miss(&self, _: &Stopwatch) {}

    pub(crate) fn cache_bytes(&self, _: impl FnOnce() -> u64) {}

    pub(crate) fn verified(&self, _: &Stopwatch, _: &dyn Clock) {}
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch;

#[allow(clippy::unused_self, reason = "the same as with the feature")]
impl Stopwatch {
    pub(crate) const fn new() -> Self {
        Self
    }

    pub(crate) fn start(&mut self, _: &dyn Clock) {}
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Refresh {
    Changed,
    Unchanged,
    Failed,
}

pub(crate) const fn key_refreshes(_issuer: &str) {}

pub(super) const fn key_refresh(_issuer: &str, _: Refresh) {}

pub(super) const fn key_refresh_failed_later(_issuer: &str) {}

pub(crate) const fn key_set(_issuer: &str, _: usize, _: Option<Duration>, _state: &str) {}

pub(crate) const fn access_token_left(_api: &str, _: Duration) {}

pub(crate) const fn access_token_gone(_api: &str) {}

pub(crate) const fn credential_left(_endpoint: &str, _: Option<Duration>) {}
