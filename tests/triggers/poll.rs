//! `POST /poll`: its callers, and their answers.

use std::sync::Arc;

use brigade_proto::v1::{PollStarted, poll_response::Event};
use brigade_worker::Outcome;
use tokio::sync::Notify;

use crate::{
    caller::{Caller, headers},
    harness::{System, accepting, scripted},
};

async fn started(given: &[(&str, &str)]) -> PollStarted {
    let system = System::with_processor(accepting()).await;
    let mut events = system.events.subscribe();
    let answer = Caller::new(&system).post("poll", &headers(given), "{}").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    match events.recv().await.unwrap().event {
        Some(Event::Started(started)) => started,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn cloud_scheduler_and_cloud_tasks_are_known_by_their_headers() {
    let scheduler = [
        ("user-agent", "Google-Cloud-Scheduler"),
        ("x-cloudscheduler", "true"),
        ("x-cloudscheduler-jobname", "poll-every-minute"),
        ("x-cloudscheduler-scheduletime", "2019-10-12T07:20:50.52Z"),
    ];
    let tasks = [
        ("user-agent", "Google-Cloud-Tasks"),
        ("x-cloudtasks-queuename", "polls"),
        ("x-cloudtasks-taskname", "2659819832458"),
        ("x-cloudtasks-taskretrycount", "2"),
        ("x-cloudtasks-taskexecutioncount", "2"),
        ("x-cloudtasks-tasketa", "1575390123.456"),
    ];
    for (headers, [trigger, name, id]) in [
        (&scheduler[..], ["scheduler", "poll-every-minute", "2019-10-12T07:20:50.52Z"]),
        (&tasks, ["tasks", "polls", "2659819832458"]),
    ] {
        let started = started(headers).await;
        assert_eq!(
            [started.trigger, started.trigger_name, started.trigger_id],
            [trigger, name, id]
        );
    }
}

#[tokio::test]
async fn a_caller_without_such_headers_is_http_and_a_hostile_header_is_only_text() {
    assert_eq!(started(&[]).await.trigger, "http");
    let hostile = "\u{1b}[31m".repeat(500);
    // Controls cannot be sent in a header; what can is kept, and cut.
    let hostile = hostile.replace('\u{1b}', "é");
    let started = started(&[("x-cloudscheduler-jobname", hostile.as_str())]).await;
    assert!(started.trigger_name.len() <= 512, "{}", started.trigger_name.len());
}

#[tokio::test]
async fn a_poll_that_finds_another_at_work_is_no_failure() {
    let (entered, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let gate = (entered.clone(), go_on.clone());
    let system = System::with_processor(scripted(move |_| {
        let (entered, go_on) = gate.clone();
        Box::pin(async move {
            entered.notify_one();
            go_on.notified().await;
            Ok(Outcome::default())
        })
    }))
    .await;
    system.upload("a", "x");
    let caller = Caller::new(&system);
    let second = async {
        entered.notified().await;
        let answer = caller.post("poll", &[], "").await;
        go_on.notify_one();
        answer
    };
    let (first, second) = tokio::join!(caller.post("poll", &[], ""), second);
    assert_eq!((first.status, second.status), (200, 200));
    assert_eq!(second.json()["reason"], "END_REASON_ALREADY_RUNNING");
    assert_eq!(first.json()["counts"]["processed"], "1");
}

#[tokio::test]
async fn a_worker_that_is_away_makes_the_poll_come_again() {
    let mut system = System::with_processor(accepting()).await;
    system.stop_worker().await;
    for name in ["a", "b", "c"] {
        system.upload(name, "x");
    }
    let answer = Caller::new(&system).post("poll", &[], "").await;
    assert_eq!((answer.status, answer.retry_after), (503, Some(30)), "{}", answer.body);
    assert_eq!(system.names(), ["incoming/a", "incoming/b", "incoming/c"]);
}
