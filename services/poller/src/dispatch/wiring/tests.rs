use Suspicion::{Object, Unknown, Wiring};
use tonic::Code;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const DENIED: Cause = Cause::Status(Code::PermissionDenied);
const UNKNOWN_METHOD: Cause = Cause::Status(Code::Unimplemented);

fn object(name: &str) -> (String, i64) {
    (name.into(), 1)
}

/// Evidence, and the time at which all happens.
fn evidence() -> (WiringEvidence, Instant) {
    (WiringEvidence::default(), Instant::now())
}

#[test]
fn a_second_object_with_an_equal_cause_means_the_wiring_until_an_acceptance() {
    let (mut evidence, now) = evidence();
    assert_eq!(evidence.met(&DENIED, &object("a"), now), Unknown);
    assert_eq!(evidence.met(&DENIED, &object("b"), now), Wiring);
    assert_eq!(evidence.met(&DENIED, &object("a"), now), Wiring);
    assert_eq!(evidence.met(&DENIED, &object("c"), now), Wiring);
    evidence.accepted(now);
    evidence.restarted();
    assert_eq!(evidence.met(&DENIED, &object("c"), now), Unknown);
}

#[test]
fn another_generation_of_a_name_is_the_same_file() {
    let (mut evidence, now) = evidence();
    assert_eq!(evidence.met(&DENIED, &("a".into(), 1), now), Unknown);
    assert_eq!(evidence.met(&DENIED, &("a".into(), 2), now), Object);
}

#[test]
fn different_causes_are_no_wiring() {
    let (mut evidence, now) = evidence();
    let causes = [
        DENIED,
        UNKNOWN_METHOD,
        Cause::Http(404),
        Cause::Http(405),
        Cause::Refusal(404),
        Cause::TooLarge,
        Cause::Page,
    ];
    for (number, cause) in causes.iter().enumerate() {
        assert_eq!(evidence.met(cause, &object(&number.to_string()), now), Unknown, "{cause:?}");
    }
}

#[test]
fn an_object_that_is_alone_gets_an_attempt_at_its_second_call() {
    let (mut evidence, now) = evidence();
    assert_eq!(evidence.met(&DENIED, &object("a"), now), Unknown);
    assert_eq!(evidence.met(&DENIED, &object("a"), now), Object);
    assert_eq!(evidence.met(&DENIED, &object("a"), now), Object);
    assert_eq!(evidence.met(&DENIED, &object("b"), now), Wiring, "it still is evidence");
}

#[test]
fn an_object_gets_an_attempt_when_others_were_answered_meanwhile() {
    let (mut evidence, now) = evidence();
    assert_eq!(evidence.met(&DENIED, &object("a"), now), Unknown);
    evidence.met(&UNKNOWN_METHOD, &object("b"), now);
    evidence.answered(&object("c"));
    assert_eq!(evidence.met(&DENIED, &object("a"), now), Object);
}

#[test]
fn an_object_is_asked_once_more_when_others_met_other_causes_only() {
    let (mut evidence, now) = evidence();
    assert_eq!(evidence.met(&DENIED, &object("a"), now), Unknown);
    assert_eq!(evidence.met(&UNKNOWN_METHOD, &object("b"), now), Unknown);
    assert_eq!(evidence.met(&DENIED, &object("a"), now), Unknown);
    assert_eq!(evidence.met(&UNKNOWN_METHOD, &object("b"), now), Unknown);
    assert_eq!(evidence.met(&DENIED, &object("a"), now), Object, "once is enough");
    assert_eq!(evidence.met(&UNKNOWN_METHOD, &object("b"), now), Object);
    // Its own answer says nothing about others.
    let (mut evidence, now) = self::evidence();
    assert_eq!(evidence.met(&DENIED, &object("a"), now), Unknown);
    assert_eq!(evidence.met(&UNKNOWN_METHOD, &object("b"), now), Unknown);
    evidence.answered(&object("a"));
    assert_eq!(evidence.met(&DENIED, &object("a"), now), Unknown);
    assert_eq!(evidence.met(&UNKNOWN_METHOD, &object("b"), now), Object);
    // An object with two causes is alone with both.
    let (mut evidence, now) = self::evidence();
    assert_eq!(evidence.met(&DENIED, &object("a"), now), Unknown);
    assert_eq!(evidence.met(&UNKNOWN_METHOD, &object("a"), now), Unknown);
    assert_eq!(evidence.met(&DENIED, &object("a"), now), Object);
}

#[test]
fn a_worker_that_accepted_an_object_in_the_last_ten_minutes_is_wired_well() {
    let (mut evidence, now) = evidence();
    evidence.accepted(now);
    let last = now + 600 * SECOND - Duration::from_nanos(1);
    assert_eq!(evidence.met(&DENIED, &object("a"), last), Object);
    assert_eq!(evidence.met(&DENIED, &object("b"), last), Object);
    // What was met since the acceptance counts when it is too old.
    assert_eq!(evidence.met(&DENIED, &object("c"), now + 600 * SECOND), Wiring);
    assert_eq!(evidence.met(&Cause::Page, &object("c"), now + 600 * SECOND), Unknown);
    assert!(evidence.has_accepted(), "ever");
}

#[test]
fn what_a_worker_accepted_before_a_restart_says_nothing() {
    let (mut evidence, now) = evidence();
    assert!(!evidence.has_accepted());
    evidence.accepted(now);
    assert!(evidence.has_accepted());
    evidence.restarted();
    assert!(!evidence.has_accepted());
    assert_eq!(evidence.met(&DENIED, &object("a"), now), Unknown);
    assert_eq!(evidence.met(&DENIED, &object("b"), now), Wiring);
}

#[test]
fn only_the_latest_causes_are_remembered() {
    let (mut evidence, now) = evidence();
    for status in 0..=64 {
        evidence.met(&Cause::Http(status), &object("a"), now);
    }
    assert_eq!(evidence.met.len(), 64);
    assert_eq!(evidence.met(&Cause::Http(1), &object("a"), now), Object);
    assert_eq!(evidence.met(&Cause::Http(0), &object("a"), now), Unknown, "forgotten");
}
