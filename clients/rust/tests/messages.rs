//! Every message of a call's answer that a person can meet.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{fmt::Write as _, time::Duration};

use brigade_client::{
    ConnectError, HttpWorkerClient, WorkerClient,
    answer::{Answer, TransportError, Wire, WireError, classify},
};
use brigade_proto::v1::ProcessResponse;
use tonic::Status;
use url::Url;

const BUDGET: Duration = Duration::from_secs(90);

/// A case, what tonic makes of it, the HTTP status, the `grpc-status` and how the call broke.
type Row = (&'static str, Result, Option<u16>, Option<i32>, Option<WireError>);
type Result = std::result::Result<ProcessResponse, Status>;

fn answers() -> Vec<(&'static str, Answer)> {
    let failed = |error| Some(WireError::Failed(error));
    let reset = || failed(TransportError::Reset("stream reset".into()));
    let refused = failed(TransportError::Connect("Connection refused".into()));
    let not_sent = failed(TransportError::NotSent("stream error: refused stream".into()));
    let calm = failed(TransportError::Ended("connection error: too_many_pings".into()));
    let library = Err(Status::unavailable("Cancelling all calls"));
    let no_token = |transient| {
        let message = "the metadata server at HOST does not answer: no answer in time".into();
        failed(TransportError::Identity { message, transient })
    };
    let ok = || Ok(ProcessResponse::default());
    let made_up = || Err(Status::unknown("h2 protocol error"));
    let large = "found 70000 bytes, the limit is 65536 bytes";
    let own = Err(Status::invalid_argument("line 2 is not a number"));
    let timer = Some(WireError::TimedOut);
    let another = "another status than tonic's";
    let mut rows: Vec<Row> = vec![
        ("refused", made_up(), None, None, refused),
        ("reset", made_up(), None, None, reset()),
        ("not taken", made_up(), None, None, not_sent),
        ("asked for calm", made_up(), None, None, calm.clone()),
        ("asked for calm after headers", made_up(), Some(200), None, calm),
        ("a text of the server's library", library, Some(200), Some(14), None),
        ("no record", made_up(), None, None, None),
        ("no record of a message", ok(), None, None, None),
        ("the transport's timer", made_up(), None, None, timer),
        ("no token for now", made_up(), None, None, no_token(true)),
        ("no token", made_up(), None, None, no_token(false)),
        ("no status", made_up(), Some(200), None, None),
        ("cut in the body", made_up(), Some(200), None, reset()),
        ("a message with a status", ok(), Some(200), Some(3), None),
        (another, made_up(), Some(200), Some(0), None),
        ("too large", Err(Status::out_of_range(large)), Some(200), None, None),
        ("compressed otherwise", made_up(), Some(200), None, None),
        ("the worker's own", own, Some(200), Some(3), None),
    ];
    for status in [302, 401, 403, 404, 429, 503] {
        rows.push(("a page", made_up(), Some(status), None, None));
    }
    rows.into_iter()
        .map(|(case, result, http_status, grpc_status, error)| {
            let unread_encoding = (case == "compressed otherwise").then(|| "deflate".to_owned());
            let wire = Wire { http_status, grpc_status, unread_encoding, error, ..Wire::default() };
            (case, classify(result, &wire, "data/in/a\n#7", BUDGET))
        })
        .collect()
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
        WorkerClient::new(&Url::parse("https://worker.example/process").unwrap(), None, None)
            .unwrap_err(),
        http("unix:/run/worker"),
    ] {
        let _ = writeln!(table, "{error}");
    }
    insta::assert_snapshot!(table);
}
