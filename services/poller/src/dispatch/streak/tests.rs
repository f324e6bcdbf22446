use proptest::prelude::*;

use super::*;

const LONGEST_REASON: usize = 200;

fn object(number: u32) -> (String, i64) {
    (format!("in/{number}.csv"), 1)
}

fn refused(streak: &mut Streak, number: u32, reason: &str) -> bool {
    let object = object(number);
    let uri = format!("gs://b/{}", object.0);
    streak.refused(&object, &uri, reason)
}

fn grouped(reasons: &[&str]) -> Vec<Reason> {
    let mut streak = Streak::new(100);
    for (number, reason) in (0..).zip(reasons) {
        refused(&mut streak, number, reason);
    }
    streak.reasons()
}

#[test]
fn refusals_of_different_objects_in_a_row_reach_the_limit() {
    let mut streak = Streak::new(3);
    assert_eq!(streak.allowance(), None);
    assert!(!refused(&mut streak, 1, "bad"));
    assert_eq!(streak.allowance(), Some(2));
    assert!(!refused(&mut streak, 2, "bad"));
    assert!(!refused(&mut streak, 2, "bad") && !refused(&mut streak, 1, "bad"), "each counts once");
    assert!(!streak.refused(&("in/2.csv".into(), 1), "gs://b/in/2.csv", "bad"));
    assert_eq!((streak.allowance(), streak.is_tripped()), (Some(1), false));
    assert!(streak.refused(&("in/2.csv".into(), 2), "gs://b/in/2.csv", "bad"), "a new generation");
    assert_eq!((streak.allowance(), streak.is_tripped()), (Some(0), true));
    assert!(refused(&mut streak, 4, "bad"), "it stays tripped");
    assert_eq!(streak.allowance(), Some(0));
}

#[test]
fn an_acceptance_ends_the_streak() {
    let mut streak = Streak::new(2);
    refused(&mut streak, 1, "bad");
    streak.accepted();
    assert_eq!((streak.allowance(), streak.reasons(), streak.prefixes()), (None, vec![], vec![]));
    assert!(!refused(&mut streak, 1, "bad") && refused(&mut streak, 2, "bad"));
    streak.accepted();
    assert!(!streak.is_tripped());
}

#[test]
fn a_probe_has_its_own_limit_until_an_acceptance() {
    let mut streak = Streak::new(1);
    assert!(refused(&mut streak, 1, "bad"));
    streak.restart(2);
    assert_eq!((streak.is_tripped(), streak.allowance()), (false, Some(2)));
    assert!(!refused(&mut streak, 1, "bad"), "it counts again");
    assert!(refused(&mut streak, 2, "bad"));
    streak.restart(2);
    streak.accepted();
    assert!(refused(&mut streak, 1, "bad"), "the usual limit");
}

#[test]
fn a_limit_of_zero_is_never_reached() {
    let mut streak = Streak::new(0);
    assert!((0..100).all(|number| !refused(&mut streak, number, "bad")));
    assert_eq!((streak.is_tripped(), streak.allowance()), (false, None));
}

#[test]
fn as_many_objects_are_remembered_as_the_limit() {
    let mut streak = Streak::new(3);
    for number in 0..10 {
        refused(&mut streak, number, "bad");
    }
    assert_eq!(streak.objects.len(), 3);
    let count = |streak: &Streak| streak.reasons()[0].count;
    refused(&mut streak, 7, "bad");
    assert_eq!(count(&streak), 10, "the last ones");
    refused(&mut streak, 0, "bad");
    assert_eq!(count(&streak), 11, "forgotten");
}

#[test]
fn equal_causes_group_whatever_the_file() {
    for (reasons, expected) in [
        (["line 17: 3 columns", "line 4: 12 columns"], "line #: # columns"),
        (["no such key 'id-a'", "no such key 'the name'"], "no such key '…'"),
        (["can't read `a`, it's bad", "can't read `b c`, it's bad"], "can't read `…`, it's bad"),
        (["\"a\" isn't \"b\"", "\"c d\" isn't \"\""], "\"…\" isn't \"…\""),
        (["no 'it isn't so' here", "no 'x' here"], "no '…' here"),
        (["b\"a\"c failed", "b\"x y\"c failed"], "b\"…\"c failed"),
        (["request 7f3a9c01 failed", "request deadbee4 failed"], "request # failed"),
        (
            [
                "(id=123e4567-e89b-12d3-a456-426614174000)",
                "(id=c0ffee00-e89b-12d3-a456-42661417aaaa)",
            ],
            "(id=#)",
        ),
        (["object at 0x7f", "object at 0xdeadbeef0"], "object at #"),
        (["cannot open /tmp/x/a: denied", "cannot open /tmp/y/b: denied"], "cannot open …: denied"),
        (["report-a.pdf: truncated", "letter.docx: truncated"], "…: truncated"),
        (["in/0.csv is empty", "1.csv is empty"], "… is empty"),
        (["  too \n many   spaces", "too many\tspaces"], "too many spaces"),
    ] {
        let [group] = &grouped(&reasons)[..] else { panic!("{:?}", grouped(&reasons)) };
        let example = "gs://b/in/0.csv".to_owned();
        assert_eq!(*group, Reason { count: 2, reason: expected.into(), example });
    }
}

#[test]
fn words_stay_as_they_are() {
    for reason in [
        "out of memory",
        "facade decade", // only letters that are hexadecimal digits
        "see v. Note e.g. this",
        "the users' choice isn't ours",
        "it isn't the users' choice",
        "an 'open quote",
        "größer als „erlaubt“",
        "a - b",
        "",
    ] {
        assert_eq!(fold(reason, "in/x"), reason);
    }
    assert_eq!(fold("3.14 of a1b2c3d", "in/x"), "#.# of a#b#c#d", "too short for an id");
}

#[test]
fn the_objects_own_name_is_folded_out() {
    assert_eq!(fold("LICENSE: no data in (LICENSE)", "in/LICENSE"), "…: no data in (…)");
    assert_eq!(fold("LICENSE: no data", "LICENSE"), "…: no data");
    assert_eq!(fold("a LICENSE2", "LICENSE"), "a LICENSE#");
}

#[test]
fn the_most_frequent_reasons_come_first_and_three_at_most() {
    let reasons = grouped(&["a", "b", "b", "c", "d", "d", "d", "e"]);
    let counts: Vec<_> = reasons.iter().map(|r| (r.reason.as_str(), r.count)).collect();
    assert_eq!(counts, [("d", 3), ("b", 2), ("a", 1)]);
    assert_eq!(reasons[0].example, "gs://b/in/4.csv", "the first one");
}

#[test]
fn the_reasons_that_are_told_apart_are_bounded_and_the_frequent_ones_stay() {
    let mut streak = Streak::new(1_000);
    refused(&mut streak, 0, "often");
    refused(&mut streak, 1, "often");
    for number in 2..200 {
        let letters = format!("{number:b}").replace('0', "x").replace('1', "y");
        refused(&mut streak, number, &letters);
    }
    assert_eq!(streak.reasons.len(), REASONS);
    assert_eq!(streak.reasons()[0].reason, "often");
}

#[test]
fn a_long_reason_is_cut() {
    let folded = fold(&"größe ".repeat(10_000), "in/a");
    assert!(folded.len() <= LONGEST_REASON && folded.ends_with('…'), "{folded}");
    assert!(folded.len() > LONGEST_REASON - 4);
    let whole = "x".repeat(LONGEST_REASON);
    assert_eq!(fold(&whole, "in/a"), whole);
}

#[test]
fn the_last_folders_are_remembered_each_once() {
    let mut streak = Streak::new(1_000);
    for (number, name) in ["a/b/1", "2", "c/3", "a/b/4"].into_iter().enumerate() {
        streak.refused(&(name.into(), 1), "uri", &format!("r{number}"));
    }
    assert_eq!(streak.prefixes(), ["", "c/", "a/b/"]);
    for number in 0..8 {
        streak.refused(&(format!("f{number}/x"), 1), "uri", "bad");
    }
    assert_eq!(streak.prefixes().len(), 8);
    assert_eq!(streak.prefixes()[0], "f0/");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_reason_folds_to_a_bounded_text(reason in "\\PC{0,300}", name in "[a-z/.]{0,9}") {
        prop_assert!(fold(&reason, &name).len() <= LONGEST_REASON);
    }

    #[test]
    fn causes_that_differ_in_what_is_folded_out_only_are_equal(
        a in any::<(u32, u64)>(), b in any::<(u32, u64)>(), text in "[a-z ]{0,20}", other in "[a-z ]{0,20}",
    ) {
        let reason = |(line, id): (u32, u64), text| format!("line {line} of {id:020x}: \"{text}\" in x{line}.json");
        prop_assert_eq!(fold(&reason(a, &text), "in/a"), fold(&reason(b, &other), "in/b"));
    }

    #[test]
    fn the_refusals_of_what_may_be_in_flight_never_go_beyond_the_limit(limit in 1_u32..30) {
        let mut streak = Streak::new(limit);
        let (mut asked, mut refusals) = (0, 0);
        while !streak.is_tripped() {
            // A first one alone; from then on as many as are allowed, whose refusals all arrive.
            for _ in 0..streak.allowance().unwrap_or(1) {
                asked += 1;
                refusals += u32::from(!streak.is_tripped());
                refused(&mut streak, asked, "bad");
            }
        }
        prop_assert_eq!((asked, refusals), (limit, limit));
        prop_assert_eq!(streak.allowance(), Some(0));
    }
}
