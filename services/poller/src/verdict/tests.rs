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
    RetryWay,
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
            Blame::Transport => Row::RetryWay,
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
    assert_eq!(
        row(Answer::TimedOut(Duration::from_secs(1))),
        Row::RetryDeadline
    );
}

#[test]
fn no_http_status_of_the_way_ever_moves_an_object() {
    for status in 0..1000 {
        let row = row(Answer::Transport(TransportError::Http {
            status,
            retry_after: None,
        }));
        let expected = match status {
            408 | 425 | 429 | 500..=599 => Row::RetryWay,
            300..=499 => Row::Stop,
            _ => Row::RetryWay,
        };
        assert_eq!(row, expected, "HTTP {status}");
    }
}

#[test]
fn broken_ways_are_retried_and_never_blamed_on_the_object() {
    for way in [
        TransportError::Connect("refused".into()),
        TransportError::Reset("reset".into()),
        TransportError::CutShort("no grpc-status".into()),
        TransportError::Identity {
            message: "503".into(),
            transient: true,
        },
    ] {
        assert_eq!(
            row(Answer::Transport(way.clone())),
            Row::RetryWay,
            "{way:?}"
        );
    }
}

#[test]
fn credentials_that_cannot_heal_stop_the_poll() {
    let answer = Answer::Transport(TransportError::Identity {
        message: "no source".into(),
        transient: false,
    });
    assert_eq!(row(answer), Row::Stop);
}

#[test]
fn the_workers_wish_for_a_delay_is_kept() {
    let delay = Some(Duration::from_secs(7));
    let answer = Answer::Worker(Box::new(WorkerAnswer {
        code: Code::Unavailable,
        message: String::new(),
        retry_after: delay,
        response: ProcessResponse::default(),
    }));
    let Verdict::Retry(retry) = verdict(answer) else {
        panic!("not a retry");
    };
    assert_eq!(retry.after, delay);
    assert!(retry.why.starts_with("Unavailable: "), "{}", retry.why);
}

#[test]
fn an_answer_that_is_too_large_stops_the_poll_and_names_the_object_and_the_limit() {
    let Verdict::Stop(stop) = verdict(Answer::TooLarge {
        key: "data/incoming/a\n#7".into(),
        found: "found 71680 bytes".into(),
    }) else {
        panic!("not a stop");
    };
    let text = stop.to_string();
    for said in [r"data/incoming/a\n#7", "71680", "64 KiB", "worker.proto"] {
        assert!(text.contains(said), "{text}");
    }
}

#[test]
fn a_refusal_keeps_the_workers_words() {
    let Verdict::Failed(reason) = verdict(Answer::status(
        Code::InvalidArgument,
        "line 3: not a number",
    )) else {
        panic!("not failed");
    };
    assert_eq!(reason, "line 3: not a number");
}

#[test]
fn a_stop_says_what_to_mend() {
    let Verdict::Stop(stop) = verdict(Answer::Transport(TransportError::Http {
        status: 403,
        retry_after: None,
    })) else {
        panic!("not a stop");
    };
    assert!(stop.to_string().contains("roles/run.invoker"), "{stop}");
}
