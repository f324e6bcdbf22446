//! What is refused, and every message that says so.

use std::fmt::Write as _;

use clap::Parser as _;

use super::*;

#[derive(Debug, clap::Parser)]
#[command(no_binary_name = true, args_override_self = true)]
struct Cli {
    #[command(flatten)]
    poller: PollerArgs,
}

/// The settings of a complete command line, and these flags.
fn resolve(flags: &[&str]) -> Result<PollerSettings, Problems> {
    let complete = ["--inbox", "gs://data/incoming", "--worker-url", "https://worker.example"];
    let cli = Cli::try_parse_from([&complete, flags].concat());
    let mut problems = Problems::default();
    let settings = cli.unwrap().poller.resolve(&mut problems);
    problems.into_settings(settings)
}

const QUEUE: [&str; 4] = [
    "--tasks-queue",
    "projects/p/locations/europe-west1/queues/objects",
    "--tasks-account",
    "tasks@p.iam.gserviceaccount.com",
];

#[test]
fn destinations_are_in_the_inboxs_bucket_by_default() {
    let settings = resolve(&["--worker-audience", "", "--match", " "]).unwrap();
    let inbox = Location::new("data", "incoming/");
    let config = format!("{:?}", settings.config);
    assert_eq!(config, format!("{:?}", Config::for_inbox(inbox)));
    insta::assert_snapshot!(config);
    assert_eq!(settings.worker_audience, None);
    assert_eq!(settings.worker_protocol, Protocol::Grpc);
    assert_eq!(settings.tasks, None);
}

#[test]
fn a_worker_on_this_machine_may_get_no_token_and_a_service_over_http_may_have_a_path() {
    for url in ["http://127.0.0.1:8081", "http://localhost:8081/", "https://[::1]:8081"] {
        let settings = resolve(&["--worker-auth", "none", "--worker-url", url]).unwrap();
        assert_eq!(settings.worker_auth, WorkerAuth::None);
    }
    let path = ["--worker-protocol", "http", "--worker-url", "https://worker.example/process?a=b"];
    let settings = resolve(&path).unwrap();
    assert_eq!(
        (settings.worker_url.path(), settings.worker_auth),
        ("/process", WorkerAuth::Google)
    );
}

#[test]
fn problems_of_the_poller() {
    let tasks = [&["--dispatch", "tasks"][..], &QUEUE].concat();
    let mut cases: Vec<Vec<&str>> = [
        &["--inbox", "", "--worker-url", " "][..],
        &["--inbox", "incoming"],
        &["--inbox", "gs://"],
        &["--worker-url", "worker:8080"],
        &["--worker-url", "worker"],
        &["--worker-protocol", "rest"],
        &["--worker-url", "https://worker.example/process"],
        &["--worker-url", "http://127.0.0.1:8081/?a=b"],
        &["--worker-auth", "token"],
        &["--worker-auth", "none"],
        &["--worker-auth", "none", "--worker-url", "http://10.0.0.7:8081"],
        &["--worker-auth", "none", "--worker-url", "http://[::1]:8081", "--worker-audience", "w"],
        &["--match", "a["],
        &["--match", "incoming/*.csv"],
        &["--match", "gs://data/incoming/*.csv"],
        &["--match", "!*.csv"],
        &["--match", "\"*.csv\""],
        &["--exclude", "/incoming/**"],
        &["--exclude", "'*.tmp'"],
        &["--skip-empty=yes"],
        &["--order", "newest"],
        &["--inbox", "gs://data/incoming/*.csv"],
        &["--inbox", "gs://data/in*/"],
        &["--inbox", "gs://data/{a,b}/x/"],
        &["--inbox", "'gs://data/incoming/'"],
        &["--processed", "\"gs://data/done/\""],
        &["--min-age", "3"],
        &["--processed", "done/"],
        &["--processed", "gs://data/"],
        &["--processed", "gs://data/incoming/"],
        &["--processed", "gs://data/{date}/x/"],
        &["--failed", "gs://data/processed"],
        &["--dispatch", "queue"],
        &["--dispatch", "tasks"],
        &QUEUE,
        &[
            "--inbox",
            "incoming",
            "--worker-url",
            "worker:8080",
            "--concurrency",
            "many",
            "--max-objects",
            "0",
            "--min-age",
            "3",
            "--match",
            "a[",
        ],
    ]
    .map(<[_]>::to_vec)
    .to_vec();
    for wrong in [
        ["--tasks-queue", "objects"],
        ["--tasks-account", "tasks"],
        ["--tasks-endpoint", "http://tasks.example"],
        ["--tasks-endpoint", "tasks"],
    ] {
        cases.push([&tasks[..], &wrong].concat());
    }
    let mut table = String::new();
    for case in cases {
        let error = resolve(&case).unwrap_err();
        writeln!(table, "{}\n  {error}\n", case.join(" ")).unwrap();
    }
    insta::assert_snapshot!(table);
}

#[test]
fn ranges_of_the_poller() {
    let cases: [(&str, &[&str], &[&str]); 9] = [
        ("--concurrency", &["1", "10000"], &["0", "-1", "10001"]),
        ("--process-timeout", &["1s", "7days"], &["0", "0s", "999ms", "8days", "10"]),
        ("--poll-deadline", &["15s", "7days"], &["0", "5s", "14s", "8days", "10"]),
        ("--max-objects", &["1", "1000000000"], &["0", "-1", "1.5", "many", "1000000000001"]),
        ("--max-attempts", &["1", "1000000"], &["0", "-1", "1000001"]),
        ("--breaker", &["1", "1000000"], &["0", "-1", "1000001"]),
        ("--poll-min-age", &["0s", "1year"], &["-1s", "2years"]),
        ("--relist", &["1s", "1h"], &["0s", "999ms", "61m", "2"]),
        ("--min-age", &["0", "0s", "30days", "1year"], &["-1s", "2years"]),
    ];
    let mut table = String::new();
    for (flag, good, bad) in cases {
        let given = |value: &str| resolve(&[&format!("{flag}={value}")]);
        for good in good {
            given(good).unwrap();
        }
        for bad in bad {
            writeln!(table, "{}", given(bad).unwrap_err()).unwrap();
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn a_destination_may_be_below_the_inbox_or_beside_it() {
    for beside in ["gs://data/incoming/done/", "gs://data/in{date}/"] {
        let settings = resolve(&["--processed", beside]);
        assert!(settings.is_ok(), "{beside:?}");
    }
}

#[test]
fn dispatch_through_a_queue_has_its_account_and_endpoint() {
    let emulator = ["--tasks-endpoint", "http://127.0.0.1:9"];
    let flags = [&["--dispatch", "tasks"], &QUEUE[..], &emulator].concat();
    let tasks = resolve(&flags).unwrap().tasks.unwrap();
    assert_eq!([tasks.queue.as_str(), &tasks.account], [QUEUE[1], QUEUE[3]]);
    assert_eq!(tasks.endpoint.unwrap().as_str(), "http://127.0.0.1:9/");
}
