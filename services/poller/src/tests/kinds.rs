//! What is written on failed objects beside the reason, so that a person can group them.

use std::collections::BTreeMap;

use brigade_client::answer::WorkerAnswer;
use brigade_proto::v1::{ProcessRequest, ProcessResponse};

use super::*;
use crate::{dispatch::Worker, mark};

/// Refuses each object for one of three causes, in words that differ from object to object.
#[derive(Debug)]
struct Causes;

#[async_trait::async_trait]
impl Worker for Causes {
    async fn process(&self, request: ProcessRequest, _: Duration) -> Answer {
        let name = request.object.unwrap_or_default().name;
        let number: u32 = name.trim_start_matches("in/x").parse().unwrap();
        Answer::status(
            Code::InvalidArgument,
            match number % 3 {
                0 => format!(
                    "{name}: line {number}: no column \"c{number}\" in a table of 17 columns"
                ),
                1 => format!("cannot decode byte 0x{number:02x} at {}", number * 31),
                _ => format!(
                    "sample {number:08x} of /tmp/job-{number}/input is {number}.5 s too short"
                ),
            },
        )
    }

    async fn is_reachable(&self, _: Duration) -> bool {
        true
    }
}

#[tokio::test(start_paused = true)]
async fn three_hundred_failures_of_three_causes_are_of_three_kinds() {
    let (sim, poller) = poller_of(Arc::new(Causes), world::config("in/"));
    for number in 0..300 {
        sim.upload("data", &format!("in/x{number:03}"), "1").unwrap();
    }
    collect(poller.start(&PollRequest::default(), &Trigger::default()).unwrap()).await;
    let mut kinds = BTreeMap::new();
    for object in sim.objects("data") {
        assert!(object.name.starts_with("failed/"), "{}", object.name);
        assert_eq!(object.metadata[mark::CODE], "INVALID_ARGUMENT");
        *kinds.entry(object.metadata[mark::KIND].clone()).or_insert(0) += 1;
    }
    let kinds: Vec<_> = kinds.iter().map(|(kind, count)| format!("{count} {kind}\n")).collect();
    insta::assert_snapshot!(kinds.concat());
}

fn refused(change: impl FnOnce(&mut WorkerAnswer)) -> Answer {
    let mut answer = WorkerAnswer {
        code: Code::FailedPrecondition,
        message: "no".into(),
        retry_after: None,
        response: ProcessResponse::default(),
        http_status: None,
        is_storage: false,
        kind: String::new(),
        exit: String::new(),
    };
    change(&mut answer);
    Answer::Worker(Box::new(answer))
}

/// Code, exit and kind of an object that always gets this answer.
async fn written(answer: Answer) -> [String; 3] {
    let world = answering([("a", answer)]).with(&["a"]);
    for _ in 0..60 {
        world.poll_all().await;
        if world.all_in("failed/") {
            break;
        }
        tokio::time::advance(Duration::from_secs(60)).await;
    }
    assert_eq!(world.names(), ["failed/a"]);
    let marks = world.sim.objects("data").remove(0).metadata;
    [mark::CODE, mark::EXIT, mark::KIND].map(|key| marks.get(key).cloned().unwrap_or_default())
}

#[tokio::test(start_paused = true)]
async fn a_failed_object_bears_its_code_its_exit_and_its_kind() {
    let named = refused(|answer| {
        answer.kind = " bad\nheader ".into();
        answer.exit = "exit status 3".into();
    });
    assert_eq!(written(named).await, ["FAILED_PRECONDITION", "exit status 3", "bad header"]);
    let long = refused(|answer| answer.kind = "é".repeat(60));
    assert_eq!(written(long).await[2], "é".repeat(32));
    let over_http = refused(|answer| {
        answer.code = Code::InvalidArgument;
        answer.http_status = Some(422);
        answer.message = "HTTP 422: line 3: no column".into();
    });
    assert_eq!(written(over_http).await, ["HTTP 422", "", "HTTP #: line #: no column"]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_the_poller_decides_is_of_the_kind_of_the_last_answer_or_of_a_fixed_one() {
    let waits = Answer::status(Code::Unavailable, "model 7 is not loaded");
    assert_eq!(written(waits).await, ["UNAVAILABLE", "", "model # is not loaded"]);
    let hangs = Answer::TimedOut(Duration::from_secs(60));
    assert_eq!(written(hangs).await, ["", "", "the worker did not answer within #s"]);
    let dies = Answer::Transport(TransportError::Reset("reset".into()));
    assert_eq!(written(dies).await, ["", "", "lost-calls"]);
}
