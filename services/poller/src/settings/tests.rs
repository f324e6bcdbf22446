//! What is refused, and what it says.

use super::*;

fn args() -> PollerArgs {
    PollerArgs {
        inbox: Some("gs://data/incoming".into()),
        worker_url: Some("https://worker.example".into()),
        ..PollerArgs::default()
    }
}

fn resolve(args: &PollerArgs) -> Result<PollerSettings, String> {
    let mut problems = Problems::default();
    let settings = args.resolve(&mut problems);
    problems.into_result().map_err(|error| error.to_string())?;
    Ok(settings.expect("no problem means settings"))
}

#[test]
fn destinations_lie_in_the_inboxs_bucket_unless_told_otherwise() {
    let settings = resolve(&args()).unwrap();
    assert_eq!(settings.inbox, Location::new("data", "incoming/"));
    assert_eq!(settings.processed, Location::new("data", "processed/"));
    assert_eq!(settings.failed, Location::new("data", "failed/"));
    assert_eq!(settings.budgets.concurrency, 32);
}

#[test]
fn every_wrong_setting_is_named_at_once() {
    let wrong = PollerArgs {
        inbox: Some("incoming".into()),
        worker_url: Some("worker:8080".into()),
        concurrency: Some("many".into()),
        max_objects: Some("0".into()),
        min_age: Some("3".into()),
        matching: Some("a[".into()),
        ..PollerArgs::default()
    };
    let text = resolve(&wrong).unwrap_err();
    for name in [
        "BRIGADE_INBOX",
        "WORKER_URL",
        "BRIGADE_CONCURRENCY",
        "BRIGADE_MAX_OBJECTS",
        "BRIGADE_MIN_AGE",
        "BRIGADE_MATCH",
    ] {
        assert!(text.contains(name), "{name} is missing in: {text}");
    }
}

#[test]
fn a_number_that_cannot_be_meant_is_named_with_what_is_taken() {
    type Set = fn(&mut PollerArgs, String);
    let cases: [(&str, Set, &[&str], &[&str]); 7] = [
        (
            "BRIGADE_CONCURRENCY (--concurrency)",
            |args, given| args.concurrency = Some(given),
            &["1", "10000"],
            &["0", "-1", "10001"],
        ),
        (
            "BRIGADE_PROCESS_TIMEOUT (--process-timeout)",
            |args, given| args.process_timeout = Some(given),
            &["1s", "7days"],
            &["0", "0s", "999ms", "8days", "10"],
        ),
        (
            "BRIGADE_POLL_DEADLINE (--poll-deadline)",
            |args, given| args.poll_deadline = Some(given),
            &["15s", "7days"],
            &["0", "5s", "14s", "8days", "10"],
        ),
        (
            "BRIGADE_MAX_OBJECTS (--max-objects)",
            |args, given| args.max_objects = Some(given),
            &["1", "1000000000"],
            &["0", "-1", "1.5", "many", "1000000000001"],
        ),
        (
            "BRIGADE_MAX_ATTEMPTS (--max-attempts)",
            |args, given| args.max_attempts = Some(given),
            &["1", "1000000"],
            &["0", "-1", "1000001"],
        ),
        (
            "BRIGADE_BREAKER (--breaker)",
            |args, given| args.breaker = Some(given),
            &["1", "1000000"],
            &["0", "-1", "1000001"],
        ),
        (
            "BRIGADE_MIN_AGE (--min-age)",
            |args, given| args.min_age = Some(given),
            &["0", "0s", "30days", "1year"],
            &["-1s", "2years"],
        ),
    ];
    for (setting, set, good, bad) in cases {
        let given = |given: &str| {
            let mut args = args();
            set(&mut args, given.to_owned());
            resolve(&args)
        };
        for good in good {
            given(good).unwrap();
        }
        for bad in bad {
            let said = given(bad).unwrap_err();
            assert!(
                said.starts_with(&format!("{setting} is {bad:?}, ")),
                "{said}"
            );
        }
    }
    let short = PollerArgs {
        poll_deadline: Some("5s".into()),
        ..args()
    };
    let said = resolve(&short).unwrap_err();
    assert!(
        said.ends_with("is \"5s\", and takes 15s to 7days"),
        "{said}"
    );
}

#[test]
fn a_destination_that_holds_the_inbox_is_refused() {
    for processed in ["gs://data/", "gs://data/incoming/", "gs://data/{date}/x/"] {
        let args = PollerArgs {
            processed: Some(processed.into()),
            ..args()
        };
        assert!(
            resolve(&args).unwrap_err().contains("BRIGADE_PROCESSED"),
            "{processed}"
        );
    }
    for beside in ["gs://data/incoming/done/", "gs://data/in{date}/"] {
        let beside = PollerArgs {
            processed: Some(beside.into()),
            ..args()
        };
        assert!(resolve(&beside).is_ok(), "{beside:?}");
    }
}

#[test]
fn one_place_for_both_outcomes_is_refused() {
    let args = PollerArgs {
        failed: Some("gs://data/processed".into()),
        ..args()
    };
    assert!(resolve(&args).unwrap_err().contains("nobody could tell"));
}
