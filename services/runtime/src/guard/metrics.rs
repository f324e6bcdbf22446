//! What the guard measures.

use std::sync::LazyLock;

use brigade_telemetry::{Counter, KeyValue, counter, measuring};

use super::error::Refusal;

static REFUSALS: LazyLock<Counter<u64>> =
    LazyLock::new(|| counter("brigade.guard.refusals", "{call}", "Calls that the guard refused"));
static KEY_FETCHES: LazyLock<Counter<u64>> = LazyLock::new(|| {
    counter("brigade.guard.key_fetches", "{fetch}", "Fetches of the issuer's signing keys")
});

/// A call was refused, by the check that it failed.
pub(super) fn refused(refusal: Refusal) {
    if measuring() {
        REFUSALS.add(1, &[KeyValue::new("reason", refusal.check())]);
    }
}

/// The issuer's keys were fetched, or not.
pub(super) fn fetched_keys(is_ok: bool) {
    if measuring() {
        let result = if is_ok { "ok" } else { "failed" };
        KEY_FETCHES.add(1, &[KeyValue::new("result", result)]);
    }
}
