use super::*;
use crate::tests::object;

fn because(reason: &str) -> Failure {
    Failure { reason: reason.into(), ..Failure::default() }
}

/// `object` with `mark` written on it.
fn marked(object: Object, mark: &Metadata) -> Object {
    let metadata = with(&object, mark);
    Object { metadata, ..object }
}

#[test]
fn no_mark_leaves_anything_of_another_on_an_object() {
    let now = Timestamp::UNIX_EPOCH;
    let marks = |object: &Object| {
        [
            (processed(object, &[], now), vec![PROCESSED_AT, SOURCE, STATUS]),
            (
                failed(object, &because("no"), 1, now),
                vec![ATTEMPTS, FAILED_AT, REASON, SOURCE, STATUS],
            ),
            (retry(object, "loading", 1, now), vec![ATTEMPTS, REASON, RETRY_AT, SOURCE]),
            (none(), vec![]),
        ]
    };
    let clean = object("inbox/a.csv", 7);
    for (before, _) in marks(&clean) {
        let moved_back = Object { generation: 8, ..marked(clean.clone(), &before) };
        for (mark, left) in marks(&moved_back) {
            let object = marked(moved_back.clone(), &mark);
            assert_eq!(object.metadata.keys().collect::<Vec<_>>(), left);
        }
    }
}

#[test]
fn keys_that_a_mark_removes_take_no_room() {
    let now = Timestamp::UNIX_EPOCH;
    let mut full = marked(object("a", 7), &failed(&object("a", 7), &because("x"), 1, now));
    let size = |object: &Object| -> usize {
        let sizes = object.metadata.iter().map(|(k, v)| k.len() + v.len());
        sizes.sum()
    };
    let rest = MAX_METADATA - size(&full) - "notes".len();
    full.metadata.insert("notes".into(), "y".repeat(rest));
    assert_eq!(size(&full), MAX_METADATA);
    assert!(has_room(&full, &failed(&full, &because("x"), 1, now)));
    assert!(has_room(&full, &processed(&full, &[], now)));
    assert!(!has_room(&full, &failed(&full, &because("xx"), 1, now)));
}

#[test]
fn a_mark_counts_for_its_own_generation_alone() {
    let mut first = object("inbox/a.csv", 7);
    first = marked(first.clone(), &failed(&first, &because("line 2"), 3, Timestamp::UNIX_EPOCH));
    assert_eq!(recorded_verdict(&first), Some(RecordedVerdict::Failed("line 2".into())));
    assert_eq!(recorded_at(&first), Some(Timestamp::UNIX_EPOCH));
    assert_eq!(attempts(&first), 3);

    let moved_back = Object { generation: 8, ..first };
    assert_eq!(recorded_verdict(&moved_back), None);
    assert_eq!(attempts(&moved_back), 0);
}

#[test]
fn a_retry_is_due_for_its_own_generation_alone_and_is_no_verdict() {
    let mut asked = object("inbox/a.csv", 7);
    let due_at = Timestamp::from_second(90).unwrap();
    asked.metadata = retry(&asked, "loading", 2, due_at);
    assert_eq!(due(&asked), Some(due_at));
    assert_eq!((attempts(&asked), recorded_verdict(&asked)), (2, None));
    let again = Object { generation: 8, ..asked };
    assert_eq!((due(&again), attempts(&again)), (None, 0));
}

#[test]
fn a_reason_is_one_printable_line_of_limited_length() {
    let reason =
        printable(&format!(" Traceback\n\u{1b}[31m\u{202e}{}", "é".repeat(2000)), MAX_REASON);
    assert!(reason.starts_with("Traceback  [31m é"), "{reason}");
    assert!(reason.len() <= MAX_REASON && reason.len() > MAX_REASON - 2);
}

#[test]
fn details_that_find_no_room_are_left_out() {
    let now = Timestamp::UNIX_EPOCH;
    let failure = Failure { kind: "bad header".into(), ..because("no") };
    let outputs = ["gs://out/a".to_owned()];
    for (details, plain, key) in [
        (
            failed(&object("a", 7), &failure, 1, now),
            failed(&object("a", 7), &because("no"), 1, now),
            KIND,
        ),
        (processed(&object("a", 7), &outputs, now), processed(&object("a", 7), &[], now), OUTPUTS),
    ] {
        assert_ne!(details[key], "");
        let size = |mark: &Metadata| -> usize {
            mark.iter().filter(|(_, v)| !v.is_empty()).map(|(k, v)| k.len() + v.len()).sum()
        };
        let mut full = object("a", 7);
        full.metadata.insert("n".into(), "y".repeat(MAX_METADATA - size(&plain) - 1));
        let mark = if key == KIND {
            failed(&full, &failure, 1, now)
        } else {
            processed(&full, &outputs, now)
        };
        assert_eq!(mark, plain);
        assert!(has_room(&full, &mark));
    }
}

#[test]
fn outputs_are_uris_without_blanks_and_the_rest_of_many_is_counted() {
    let uris = ["gs://out/a b\n%\u{a0}é.json".to_owned(), "gs://out/c".to_owned()];
    assert_eq!(outputs_in(&uris), "gs://out/a%20b%0A%25%C2%A0é.json gs://out/c");
    assert_eq!(outputs_in(&[]), "");
    let many: Vec<_> = (0..100_000).map(|number| format!("gs://out/{number:06}.json")).collect();
    let text = outputs_in(&many);
    let (listed, more) = text.rsplit_once(" +").unwrap();
    let kept = listed.split(' ').count();
    assert!(listed.len() <= 2_048 && listed.len() > 2_000, "{}", listed.len());
    assert_eq!(more, format!("{} more", many.len() - kept));
    assert_eq!(outputs_in(&["x".repeat(3_000)]), "+1 more");
}

#[test]
fn what_a_worker_writes_on_its_outputs_is_no_mark_and_stays() {
    use brigade_storage::provenance::{HOPS, INBOX, KEY, RUN};
    let mut output = object("inbox/a.csv", 7);
    for key in [SOURCE, KEY, INBOX, RUN, HOPS] {
        output.metadata.insert(key.into(), "x".into());
    }
    assert!(!is_marked(&output));
    let now = Timestamp::UNIX_EPOCH;
    for mark in [
        none(),
        failed(&output, &because("no"), 1, now),
        processed(&output, &[], now),
        retry(&output, "loading", 1, now),
    ] {
        let marked = marked(output.clone(), &mark);
        for key in [KEY, INBOX, RUN, HOPS] {
            assert_eq!(marked.metadata[key], "x");
        }
    }
}

/// An uploader who may update objects can write any mark.
#[test]
fn a_due_time_more_than_a_day_ahead_counts_as_a_day_after_the_last_change() {
    let upload = |hours: i64| Timestamp::from_second(hours * 3_600).unwrap();
    let object = Object { created: upload(10), updated: upload(12), ..object("inbox/a.csv", 7) };
    let written = |key: &str, value: &str| {
        let mark = [(SOURCE.to_owned(), source(&object)), (key.to_owned(), value.to_owned())];
        marked(object.clone(), &Metadata::from(mark))
    };
    for (value, wanted) in [
        ("9999-12-30T22:00:00Z", Some(36)),
        ("1970-01-02T13:00:00Z", Some(36)),
        ("1970-01-01T13:00:00Z", Some(13)),
        ("1970-01-01T03:00:00Z", Some(10)),
        ("-009999-01-02T01:59:59Z", Some(10)),
        ("99999-01-01T00:00:00Z", None),
        ("never", None),
        ("", None),
    ] {
        let wanted = wanted.map(upload);
        assert_eq!(due(&written(RETRY_AT, value)), wanted, "{value}");
        assert_eq!(unread_since(&written(UNREAD_SINCE, value)), wanted, "{value}");
    }
    let latest = Object { updated: Timestamp::MAX, ..written(RETRY_AT, "9999-12-30T22:00:00Z") };
    let wanted = "9999-12-30T22:00:00Z".parse().ok();
    assert_eq!(due(&latest), wanted, "no sum of times overflows");
    for (value, wanted) in [
        ("4294967295", u32::MAX),
        ("4294967296", 0),
        ("99999999999999999999", 0),
        ("-1", 0),
        ("1e9", 0),
        ("", 0),
    ] {
        assert_eq!(attempts(&written(ATTEMPTS, value)), wanted, "{value}");
    }
}
