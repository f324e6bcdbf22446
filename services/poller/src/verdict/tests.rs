//! The table, row by row.

use std::time::Duration;

use brigade_client::answer::{Answer, TransportError, WorkerAnswer};
use tonic::Code;

use super::*;

#[derive(Debug, PartialEq)]
enum Row {
    Processed,
    Failed { is_deliberate: bool },
    Retry(Blame),
    Doubtful,
    Stop,
}

const FAILED: Row = Row::Failed { is_deliberate: false };

fn row(answer: Answer) -> Row {
    match verdict(answer) {
        Verdict::Processed(_) => Row::Processed,
        Verdict::Failed(refusal) => Row::Failed { is_deliberate: refusal.is_deliberate },
        Verdict::Retry(retry) => Row::Retry(retry.blame),
        Verdict::Doubtful(_) => Row::Doubtful,
        Verdict::Stop(_) => Row::Stop,
    }
}

#[test]
fn every_status_of_the_worker_has_its_row() {
    let table = [
        (Code::Ok, Row::Processed),
        (Code::Cancelled, Row::Retry(Blame::Worker)),
        (Code::Unknown, FAILED),
        (Code::InvalidArgument, Row::Failed { is_deliberate: true }),
        (Code::DeadlineExceeded, Row::Retry(Blame::Deadline)),
        (Code::NotFound, FAILED),
        (Code::AlreadyExists, FAILED),
        (Code::PermissionDenied, Row::Doubtful),
        (Code::ResourceExhausted, Row::Retry(Blame::Busy)),
        (Code::FailedPrecondition, FAILED),
        (Code::Aborted, Row::Retry(Blame::Worker)),
        (Code::OutOfRange, FAILED),
        (Code::Unimplemented, Row::Doubtful),
        (Code::Internal, FAILED),
        (Code::Unavailable, Row::Retry(Blame::Worker)),
        (Code::DataLoss, FAILED),
        (Code::Unauthenticated, Row::Stop),
    ];
    for (number, (code, expected)) in (0..).zip(table) {
        assert_eq!(Code::from_i32(number), code, "the table leaves out a code");
        assert_eq!(row(Answer::status(code, "why")), expected, "{code:?}");
    }
}

#[test]
fn our_own_timer_is_a_deadline_like_the_workers() {
    assert_eq!(row(Answer::TimedOut(Duration::from_secs(1))), Row::Retry(Blame::Deadline));
}

#[test]
fn no_http_status_of_the_transport_ever_moves_an_object() {
    for (status, wish) in (0..1000).flat_map(|status| [(status, None), (status, WISH)]) {
        let row = row(Answer::Transport(TransportError::Http { status, retry_after: wish }));
        let expected = match (status, wish) {
            (429, _) | (503, Some(_)) => Row::Retry(Blame::Busy),
            (500 | 502 | 503 | 504, _) => Row::Retry(Blame::Lost),
            (401, _) => Row::Stop,
            (408 | 425 | 500..=599, _) => Row::Retry(Blame::Transport),
            (300..=499, _) => Row::Doubtful,
            _ => Row::Retry(Blame::Transport),
        };
        assert_eq!(row, expected, "HTTP {status}, {wish:?}");
    }
}

#[test]
fn only_what_may_have_reached_the_worker_is_lost() {
    for (error, blame) in [
        (TransportError::Connect(String::new()), Blame::Transport),
        (TransportError::NotSent(String::new()), Blame::Transport),
        (TransportError::Ended(String::new()), Blame::Transport),
        (TransportError::Reset(String::new()), Blame::Lost),
        (TransportError::CutShort(String::new()), Blame::Lost),
    ] {
        assert_eq!(row(Answer::Transport(error.clone())), Row::Retry(blame), "{error:?}");
    }
}

const WISH: Option<Duration> = Some(Duration::from_secs(7));

fn from_a_worker(code: Code, message: &str, http_status: Option<u16>, is_storage: bool) -> Answer {
    Answer::Worker(Box::new(WorkerAnswer {
        code,
        message: message.into(),
        retry_after: WISH,
        response: ProcessResponse::default(),
        http_status,
        is_storage,
        kind: String::new(),
        exit: String::new(),
    }))
}

/// Every kind of answer but a worker's status and a front end's, which have tables of their own.
#[test]
fn each_answer_says_what_it_means_why_and_the_fix() {
    let statuses = (0..=16).map(|code| Answer::status(Code::from_i32(code), "line 3: no"));
    let others = [
        Answer::status(Code::Unavailable, " "),
        from_a_worker(Code::Unavailable, "loading", None, false),
        from_a_worker(Code::Unavailable, "storage returned 503", None, true),
        from_a_worker(Code::InvalidArgument, "HTTP 422: no column", Some(422), false),
        from_a_worker(Code::Internal, "HTTP 500: no column", Some(500), false),
    ];
    let http = |status| TransportError::Http {
        status,
        retry_after: (status == 429).then_some(WISH).flatten(),
    };
    let identity = |transient| TransportError::Identity { message: "no source".into(), transient };
    let failures = [
        TransportError::Connect("refused".into()),
        TransportError::NotSent("refused stream".into()),
        TransportError::Ended("Cancelling all calls".into()),
        TransportError::Reset("reset".into()),
        TransportError::Page { status: 200, title: "Sign in".into() },
        TransportError::Encoding("deflate".into()),
        TransportError::CutShort("no grpc-status".into()),
        http(302),
        http(401),
        http(403),
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
    let answers = statuses.chain(others).chain(failures.map(Answer::Transport)).chain(ours);
    let rows = answers.map(|answer| {
        let case = match &answer {
            Answer::Worker(answer) => format!("{:?} {:?}", answer.code, answer.message),
            Answer::Transport(_) | Answer::TimedOut(_) | Answer::TooLarge { .. } => {
                format!("{answer:?}")
            }
        };
        let meaning = match verdict(answer) {
            Verdict::Processed(_) => "processed".to_owned(),
            Verdict::Failed(Refusal { reason, is_deliberate, doubt }) => {
                let doubt =
                    doubt.map(|doubt| format!("; in doubt {:?}: {}", doubt.cause, doubt.stop));
                format!("failed, deliberate {is_deliberate}: {reason}{}", doubt.unwrap_or_default())
            }
            Verdict::Doubtful(doubt) => {
                format!("{:?}, if others get it too stop: {}", doubt.cause, doubt.stop)
            }
            Verdict::Retry(Retry { after, blame, why }) => {
                format!("retry, {blame:?}, after {after:?}: {why}")
            }
            Verdict::Stop(stop) => format!("stop: {stop}"),
        };
        format!("{case}\n    {meaning}\n")
    });
    insta::assert_snapshot!(rows.collect::<Vec<_>>().concat());
}
