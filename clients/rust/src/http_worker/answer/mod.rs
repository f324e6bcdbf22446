//! Who returned an HTTP status. There is no `grpc-status` to tell, so a status counts as the worker's own only where nothing
//! before the worker returns the same.

use brigade_proto::v1::ProcessResponse;
use http::{HeaderMap, Response, header::RETRY_AFTER};
use http_body::Body as _;
use serde_json::Value;
use tonic::Code;

use super::{page::Page, words::words};
use crate::answer::{Answer, STORAGE_UNAVAILABLE, TransportError, chain, retry_after, shorten};

/// Bytes read of a body: it holds a line for the user, and the status decides.
const MAX_BODY: usize = 64 * 1024;

/// The header of answers that Identity-Aware Proxy makes itself, whatever their status.
const IAP: &str = "x-goog-iap-generated-response";

/// The answer in a response, once its body has arrived.
pub(super) async fn from_response(response: Response<reqwest::Body>) -> Answer {
    let (head, body) = response.into_parts();
    let body = match read_body(body).await {
        Ok(body) => body,
        Err(error) => return Answer::Transport(TransportError::CutShort(chain(&error))),
    };
    classify(head.status.as_u16(), &head.headers, &body)
}

async fn read_body(body: reqwest::Body) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = std::pin::pin!(body);
    let mut read = Vec::new();
    while let Some(frame) = std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await
    {
        if let Ok(data) = frame?.into_data() {
            let remaining = MAX_BODY - read.len();
            read.extend_from_slice(&data[..data.len().min(remaining)]);
        }
        if read.len() == MAX_BODY {
            break;
        }
    }
    Ok(read)
}

/// What a response means, from what arrived and nothing else.
fn classify(status: u16, headers: &HeaderMap, body: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(body);
    let json: Option<Value> = serde_json::from_str(text.trim_start_matches('\u{feff}')).ok();
    let page = Page::parse(&text);
    let words = words(json.as_ref(), &text);
    let retry_after = retry_after(headers);
    let refused = |code, words: Option<String>| {
        let words = words.unwrap_or_else(|| format!("HTTP {status} with an empty body"));
        Answer::refused(code, words, retry_after).over_http(status)
    };
    let front_end = || Answer::Transport(TransportError::Http { status, retry_after });

    if headers.contains_key(IAP) {
        return front_end();
    }
    let detail = |name: &str| json.as_ref().and_then(|json| json.get(name)?.as_str());
    let reason = detail("reason").unwrap_or_default();
    if let Some(code) = code(reason, status) {
        return refused(code, words).because(reason, detail);
    }
    match status {
        200 | 201 | 204 => match page {
            Some(page) => {
                let title = shorten(page.title().to_owned());
                Answer::Transport(TransportError::Page { status, title })
            }
            None => Answer::ok(response(json, words)).over_http(status),
        },
        500 if !page.is_some_and(Page::is_front_end) => refused(Code::Internal, words),
        // The statuses of a service that has read the request and refuses it.
        400 | 409 | 410 | 413 | 415 | 422 => match words {
            Some(words) if !page.is_some_and(Page::is_foreign) => {
                refused(Code::InvalidArgument, Some(format!("HTTP {status}: {words}")))
            }
            Some(_) | None => front_end(),
        },
        408 | 425 => refused(Code::Unavailable, words),
        429 => refused(Code::ResourceExhausted, words),
        503 if headers.contains_key(RETRY_AFTER) => refused(Code::ResourceExhausted, words),
        _ => front_end(),
    }
}

/// The gRPC status of a Bucket Brigade worker with this `reason`, where its HTTP status agrees.
fn code(reason: &str, status: u16) -> Option<Code> {
    Some(match (reason, status) {
        ("OBJECT_REFUSED", 500) | ("REQUEST_MALFORMED", 400) => Code::InvalidArgument,
        ("PRECONDITION_FAILED", 500) => Code::FailedPrecondition,
        ("PROCESSOR_FAILED", 500) => Code::Internal,
        ("TRY_AGAIN" | STORAGE_UNAVAILABLE, 503) => Code::Unavailable,
        ("OBJECT_SUPERSEDED", 503) => Code::Aborted,
        ("WORKER_BUSY", 429 | 503) => Code::ResourceExhausted,
        ("DEADLINE_EXCEEDED", 408) => Code::DeadlineExceeded,
        ("WORKER_MISCONFIGURED", 403) => Code::PermissionDenied,
        _ => return None,
    })
}

/// A `ProcessResponse`, or the line that an existing service returns as its summary.
fn response(json: Option<Value>, words: Option<String>) -> ProcessResponse {
    json.and_then(|json| serde_json::from_value(json).ok()).unwrap_or_else(|| ProcessResponse {
        summary: shorten(words.unwrap_or_default()),
        ..ProcessResponse::default()
    })
}

#[cfg(test)]
mod tests;
