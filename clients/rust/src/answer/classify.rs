//! Who returned an answer.

use std::time::Duration;

use brigade_proto::v1::ProcessResponse;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::{
    Answer, TransportError,
    record::{Wire, WireError},
};

/// The answer, from tonic's `result` and from what arrived on the wire. `key` is the call's idempotency key, and `budget` its
/// time.
///
/// The status is the worker's own when a `grpc-status` arrived on an HTTP 200 and tonic agrees with it.
pub fn classify(
    result: Result<ProcessResponse, Status>,
    wire: &Wire,
    key: &str,
    budget: Duration,
) -> Answer {
    match (wire.http_status, wire.grpc_status) {
        (Some(200), Some(number)) => from_status(result, number),
        (Some(200), None) if wire.error.is_none() && is_too_large(&result) => Answer::TooLarge {
            key: key.to_owned(),
            found: result.err().map_or_else(String::new, |status| status.message().to_owned()),
        },
        (Some(200), None) => Answer::Transport(TransportError::CutShort(cut_reason(wire))),
        (Some(status), _) => {
            Answer::Transport(TransportError::Http { status, retry_after: wire.retry_after })
        }
        (None, _) => without_response(result, wire, budget),
    }
}

/// tonic reads the length before a message, and stops with this status when it is over the limit. It makes up this status for
/// nothing else.
fn is_too_large(result: &Result<ProcessResponse, Status>) -> bool {
    matches!(result, Err(status) if status.code() == Code::OutOfRange)
}

fn from_status(result: Result<ProcessResponse, Status>, number: i32) -> Answer {
    match result {
        Ok(response) if number == 0 => Answer::ok(response),
        // tonic turns an unknown number into UNKNOWN, which the worker did not return.
        Err(status) if number != 0 && status.code() as i32 == number => worker_answer(&status),
        Ok(_) => Answer::Transport(TransportError::CutShort(format!(
            "a message arrived with status {number}"
        ))),
        Err(status) => Answer::Transport(TransportError::CutShort(format!(
            "status {number} arrived, and the message cannot be read: {}",
            status.message()
        ))),
    }
}

fn worker_answer(status: &Status) -> Answer {
    let details = status.get_error_details();
    let retry_after = details.retry_info().and_then(|info| info.retry_delay);
    Answer::refused(status.code(), status.message(), retry_after)
}

fn cut_reason(wire: &Wire) -> String {
    match &wire.error {
        Some(WireError::Failed(TransportError::Reset(why) | TransportError::Connect(why))) => {
            why.clone()
        }
        Some(_) | None => "the response ended without a grpc-status".into(),
    }
}

fn without_response(
    result: Result<ProcessResponse, Status>,
    wire: &Wire,
    budget: Duration,
) -> Answer {
    match &wire.error {
        Some(WireError::Failed(error)) => Answer::Transport(error.clone()),
        Some(WireError::TimedOut) => Answer::TimedOut(budget),
        None => Answer::Transport(TransportError::Reset(match result {
            Ok(_) => "a message arrived without a response".into(),
            Err(status) => status.message().to_owned(),
        })),
    }
}
