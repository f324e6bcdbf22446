//! Who returned an answer.

use std::time::Duration;

use brigade_proto::v1::ProcessResponse;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::{
    Answer, TransportError,
    record::{Wire, WireError},
    shorten,
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
    // tonic stops at this header, and makes up a status.
    if let (Some(200), Some(encoding)) = (wire.http_status, &wire.unread_encoding) {
        return Answer::Transport(TransportError::Encoding(shorten(encoding.clone())));
    }
    match (wire.http_status, wire.grpc_status) {
        (Some(200), Some(number)) => from_status(result, number),
        (Some(200), None) if wire.error.is_none() && is_too_large(&result) => Answer::TooLarge {
            key: key.to_owned(),
            found: result.err().map_or_else(String::new, |status| status.message().to_owned()),
        },
        (Some(200), None) => Answer::Transport(cut(wire)),
        (Some(status), _) => {
            Answer::Transport(TransportError::Http { status, retry_after: wire.retry_after })
        }
        (None, _) => without_response(result, wire, budget),
    }
}

/// tonic reads the length before a message, and stops with the first of these when it is over the limit, or with the second
/// when a compressed message becomes longer than that. It makes up neither for anything else.
fn is_too_large(result: &Result<ProcessResponse, Status>) -> bool {
    matches!(result, Err(status) if matches!(status.code(), Code::OutOfRange | Code::ResourceExhausted))
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

/// The texts that gRPC's own libraries send with UNAVAILABLE when a server ends a call: not a word of them is the worker's.
/// Others' texts are none of these: grpc-go's and most of Java's are made by their clients, and a worker that passes one on
/// speaks of a service behind it.
const SERVER_ENDS: [&str; 4] = [
    // C core (C++, Python, Ruby, PHP, C#), chttp2_transport.cc: more pings than the server allows.
    "Too many pings",
    // C core, server.cc: the server stops, and its grace period is over. Sent by grpcio 1.85.
    "Cancelling all calls",
    // C core: the connection has reached its age, and the grace period is over. Sent by grpcio 1.85.
    "max connection age",
    // Java, ServerImpl.shutdownNow().
    "Server shutdownNow invoked",
];

fn is_ended_by_server(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::Cancelled)
        && SERVER_ENDS.iter().any(|text| status.message().starts_with(text))
}

fn worker_answer(status: &Status) -> Answer {
    if is_ended_by_server(status) {
        return Answer::Transport(TransportError::Ended(shorten(status.message().to_owned())));
    }
    let details = status.get_error_details();
    let retry_after = details.retry_info().and_then(|info| info.retry_delay);
    let answer = Answer::refused(status.code(), status.message(), retry_after);
    match details.error_info().filter(|info| info.domain == "brigade.v1") {
        Some(info) => {
            answer.because(&info.reason, |name| info.metadata.get(name).map(String::as_str))
        }
        None => answer,
    }
}

/// How a response without a status ended.
fn cut(wire: &Wire) -> TransportError {
    match &wire.error {
        Some(WireError::Failed(TransportError::Ended(why))) => TransportError::Ended(why.clone()),
        Some(WireError::Failed(
            TransportError::Reset(why)
            | TransportError::NotSent(why)
            | TransportError::Connect(why)
            | TransportError::CutShort(why),
        )) => TransportError::CutShort(why.clone()),
        Some(_) | None => {
            TransportError::CutShort("the response ended without a grpc-status".into())
        }
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
