//! The table, row by row.

use std::time::Duration;

use brigade_client::answer::{Answer, TransportError, WorkerAnswer};
use tonic::Code;

use super::*;

#[derive(Debug, PartialEq)]
enum Row {
    Processed,
    Failed,
    RetryWorker,
    RetryDeadline,
    RetryBusy,
    RetryTransport,
    Stop,
}

fn row(answer: Answer) -> Row {
    match verdict(answer) {
        Verdict::Processed(_) => Row::Processed,
        Verdict::Failed(_) => Row::Failed,
        Verdict::Retry(retry) => match retry.blame {
            Blame::Worker => Row::RetryWorker,
            Blame::Deadline => Row::RetryDeadline,
            Blame::Busy => Row::RetryBusy,
            Blame::Transport => Row::RetryTransport,
            Blame::Poll => unreachable!("no answer means that the poll ended"),
        },
        Verdict::Stop(_) => Row::Stop,
    }
}

#[test]
fn every_status_of_the_worker_has_its_row() {
    let table = [
        (Code::Ok, Row::Processed),
        (Code::Cancelled, Row::RetryWorker),
        (Code::Unknown, Row::Failed),
        (Code::InvalidArgument, Row::Failed),
        (Code::DeadlineExceeded, Row::RetryDeadline),
        (Code::NotFound, Row::Failed),
        (Code::AlreadyExists, Row::Failed),
        (Code::PermissionDenied, Row::Stop),
        (Code::ResourceExhausted, Row::RetryBusy),
        (Code::FailedPrecondition, Row::Failed),
        (Code::Aborted, Row::RetryWorker),
        (Code::OutOfRange, Row::Failed),
        (Code::Unimplemented, Row::Stop),
        (Code::Internal, Row::Failed),
        (Code::Unavailable, Row::RetryWorker),
        (Code::DataLoss, Row::Failed),
        (Code::Unauthenticated, Row::Stop),
    ];
    for (number, (code, expected)) in (0..).zip(table) {
        assert_eq!(Code::from_i32(number), code, "the table leaves out a code");
        assert_eq!(row(Answer::status(code, "why")), expected, "{code:?}");
    }
}

#[test]
fn our_own_timer_is_a_deadline_like_the_workers() {
    assert_eq!(row(Answer::TimedOut(Duration::from_secs(1))), Row::RetryDeadline);
}

#[test]
fn no_http_status_of_the_transport_ever_moves_an_object() {
    for status in 0..1000 {
        let row = row(Answer::Transport(TransportError::Http { status, retry_after: None }));
        let expected = match status {
            408 | 425 | 429 | 500..=599 => Row::RetryTransport,
            300..=499 => Row::Stop,
            _ => Row::RetryTransport,
        };
        assert_eq!(row, expected, "HTTP {status}");
    }
}

/// Every kind of answer but a worker's status and a front end's, which have tables of their own.
#[test]
fn each_answer_says_what_it_means_why_and_the_fix() {
    let statuses = (0..=16).map(|code| Answer::status(Code::from_i32(code), "line 3: no"));
    let silent = Answer::status(Code::Unavailable, " ");
    let wish = Some(Duration::from_secs(7));
    let asking = Answer::Worker(Box::new(WorkerAnswer {
        code: Code::Unavailable,
        message: "loading".into(),
        retry_after: wish,
        response: ProcessResponse::default(),
    }));
    let http = |status| TransportError::Http {
        status,
        retry_after: (status == 429).then_some(wish).flatten(),
    };
    let identity = |transient| TransportError::Identity { message: "no source".into(), transient };
    let failures = [
        TransportError::Connect("refused".into()),
        TransportError::Reset("reset".into()),
        TransportError::CutShort("no grpc-status".into()),
        http(302),
        http(401),
        http(404),
        http(429),
        http(503),
        identity(true),
        identity(false),
    ];
    let ours = [
        Answer::TimedOut(Duration::from_secs(1)),
        Answer::TooLarge { key: "data/incoming/a\n#7".into(), found: "found 71680 bytes".into() },
    ];
    let answers =
        statuses.chain([silent, asking]).chain(failures.map(Answer::Transport)).chain(ours);
    let rows = answers.map(|answer| {
        let case = match &answer {
            Answer::Worker(answer) => format!("{:?} {:?}", answer.code, answer.message),
            Answer::Transport(_) | Answer::TimedOut(_) | Answer::TooLarge { .. } => {
                format!("{answer:?}")
            }
        };
        let meaning = match verdict(answer) {
            Verdict::Processed(_) => "processed".to_owned(),
            Verdict::Failed(reason) => format!("failed: {reason}"),
            Verdict::Retry(Retry { after, blame, why }) => {
                format!("retry, {blame:?}, after {after:?}: {why}")
            }
            Verdict::Stop(stop) => format!("stop: {stop}"),
        };
        format!("{case}\n    {meaning}\n")
    });
    insta::assert_snapshot!(rows.collect::<Vec<_>>().concat());
}
