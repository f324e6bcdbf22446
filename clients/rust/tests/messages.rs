//! Every message of a call's answer that a person can meet.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{fmt::Write as _, time::Duration};

use brigade_client::{
    ConnectError, HttpWorkerClient, WorkerClient,
    answer::{Answer, Wire, WireError, classify},
};
use brigade_proto::v1::ProcessResponse;
use tonic::{Code, Status};
use url::Url;

const BUDGET: Duration = Duration::from_secs(90);

type Result = std::result::Result<ProcessResponse, Status>;

fn answers() -> Vec<(&'static str, Answer)> {
    let broken = |error| Wire {
        error: Some(error),
        ..Wire::default()
    };
    let arrived = |http_status, grpc_status, error| Wire {
        http_status: Some(http_status),
        grpc_status,
        retry_after: None,
        error,
    };
    let no_token = |transient| WireError::Identity {
        message: "the metadata server at HOST does not answer: no answer in time".into(),
        transient,
    };
    let classified = |result: Result, wire: &Wire| classify(result, wire, "data/in/a\n#7", BUDGET);
    let made_up = || Err(Status::unknown("h2 protocol error"));
    let ok = || Ok(ProcessResponse::default());
    let mut answers = vec![
        (
            "refused",
            classified(
                made_up(),
                &broken(WireError::Connect("Connection refused".into())),
            ),
        ),
        (
            "reset",
            classified(made_up(), &broken(WireError::Broken("stream reset".into()))),
        ),
        ("no record", classified(made_up(), &Wire::default())),
        ("no record of a message", classified(ok(), &Wire::default())),
        (
            "the transport's timer",
            classified(made_up(), &broken(WireError::TimedOut)),
        ),
        (
            "no token for now",
            classified(made_up(), &broken(no_token(true))),
        ),
        ("no token", classified(made_up(), &broken(no_token(false)))),
        (
            "no status",
            classified(made_up(), &arrived(200, None, None)),
        ),
        (
            "cut in the body",
            classified(
                made_up(),
                &arrived(200, None, Some(WireError::Broken("stream reset".into()))),
            ),
        ),
        (
            "a message with a status",
            classified(ok(), &arrived(200, Some(3), None)),
        ),
        (
            "another status than tonic's",
            classified(made_up(), &arrived(200, Some(0), None)),
        ),
        (
            "too large",
            classified(
                Err(Status::out_of_range(
                    "found 70000 bytes, the limit is 65536 bytes",
                )),
                &arrived(200, None, None),
            ),
        ),
        (
            "the worker's own",
            Answer::status(Code::InvalidArgument, "line 2 is not a number"),
        ),
    ];
    for status in [302, 401, 403, 404, 429, 503] {
        answers.push((
            "a page",
            classified(made_up(), &arrived(status, None, None)),
        ));
    }
    answers
}

#[test]
fn every_answer_says_what_happened() {
    let mut table = String::new();
    for (case, answer) in answers() {
        let status = answer.into_result().unwrap_err();
        let _ = writeln!(table, "{case}: {:?}: {}", status.code(), status.message());
    }
    insta::assert_snapshot!(table);
}

fn http(url: &str) -> ConnectError {
    HttpWorkerClient::new(&Url::parse(url).unwrap(), None, None).unwrap_err()
}

#[tokio::test]
async fn a_client_that_cannot_be_made_says_why() {
    let mut table = String::new();
    for error in [
        WorkerClient::connect("worker.example").unwrap_err(),
        WorkerClient::new(&Url::parse("ftp://worker.example").unwrap(), None, None).unwrap_err(),
        http("unix:/run/worker"),
    ] {
        let _ = writeln!(table, "{error}");
    }
    insta::assert_snapshot!(table);
}
