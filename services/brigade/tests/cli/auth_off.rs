//! A poller that checks no caller, as `BRIGADE_AUTH=off` has it on loopback.

use brigade_runtime::guard::Mode;

use crate::system::{System, run};

/// What each route of the inbox is asked.
const ROUTES: [(&str, &str); 4] = [
    ("inbox/status", "{}"),
    ("inbox/objects", r#"{"filter": {"place": "PLACE_FAILED"}}"#),
    ("inbox/object", r#"{"name": "a.csv"}"#),
    ("inbox/replay", r#"{"all": true, "dryRun": true}"#),
];

#[tokio::test(flavor = "multi_thread")]
async fn without_checks_every_route_of_the_inbox_answers_a_caller_without_a_token() {
    let system = System::start_with(Mode::Off).await;
    system.fail("a.csv", "no-day", "line 7: no day", 2).await;
    for (path, body) in ROUTES {
        let (status, text) = system.post(path, body).await;
        assert_eq!(status, 200, "{path}: {text}");
    }
    let failed = run(system.brigade_without_identity(&["failed"])).await;
    assert!(failed.out.starts_with("a.csv\t"), "{failed:?}");
    let replayed = run(system.brigade_without_identity(&["replay", "a.csv", "--yes"])).await;
    assert_eq!((replayed.code, system.names()), (Some(0), vec!["incoming/a.csv".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_checks_none_of_them_does() {
    let system = System::start().await;
    for (path, body) in ROUTES {
        assert_eq!(system.post(path, body).await.0, 401, "{path}");
    }
    for command in [&["status"][..], &["failed"], &["replay", "--all", "--yes"], &["watch"]] {
        let ended = run(system.brigade_without_identity(command)).await;
        assert_eq!(ended.code, Some(77), "{ended:?}");
    }
}
