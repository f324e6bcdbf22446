//! The real worker under attack: it answers all the while, and its memory stays bounded.
//!
//! How fast it answers is measured by `cargo bench --bench attack`, which runs the same probes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod probes;
mod service;
#[path = "../../../runtime/src/serve/tests/wire.rs"]
#[allow(dead_code, reason = "each of its users takes what it needs")]
mod wire;

use probes::{ALL, Probe};
use service::Service;

const MIB: u64 = 1 << 20;

/// Attacks three times, so that what is not given back adds up. Health is asked for all the while.
async fn survives(probe: Probe, most: u64) {
    let service = Service::start().await;
    let before = service.memory();
    for _ in 0..3 {
        let watch = service.watched();
        let attacked = probe.run(&service).await;
        assert!(service.health().await.unwrap(), "{probe:?}");
        let seen = watch.ended().await;
        assert!(
            !seen.times.is_empty() && seen.failed == 0,
            "{probe:?}: {seen:?}"
        );
        if let Some(most) = probe.closed_within() {
            let resets = attacked.closed_after;
            assert!(
                resets.is_some_and(|resets| resets <= most),
                "{probe:?} is closed after {resets:?} resets"
            );
        }
    }
    let grown = service.peak_memory().saturating_sub(before);
    assert!(
        grown < most,
        "{probe:?}: {} KiB more than before",
        grown / 1024
    );
}

/// Each row is a test: its name, the attack, and the memory that it may cost in MiB.
macro_rules! survived {
    ($($name:ident: $probe:ident, $most:expr;)+) => { $(
        #[tokio::test]
        async fn $name() {
            survives(Probe::$probe, $most * MIB).await;
        }
    )+ };
}

survived! {
    a_flood_of_malformed_requests: Malformed, 10;
    a_rapid_reset: RapidReset, 10;
    a_flood_of_requests_that_never_end: NeverEnded, 10;
    a_header_block_that_never_ends: Continuation, 10;
    a_flood_of_long_headers: LongHeaders, 10;
    a_body_of_empty_pieces: EmptyData, 10;
    answers_that_are_never_read: Unread, 10;
    a_thousand_messages_that_announce_4_mib_without_a_token: LengthPrefix, 16;
    ten_messages_that_unpack_to_60_mib_each: Bomb, 16;
    two_hundred_slow_headers: SlowHeaders, 16;
    a_thousand_idle_connections: Idle, 64;
    two_hundred_half_closed_connections: HalfClosed, 16;
}

#[test]
fn every_probe_has_its_test() {
    let rows = include_str!("main.rs");
    for probe in ALL {
        assert!(rows.contains(&format!(": {probe:?}, ")), "{probe:?}");
    }
}
