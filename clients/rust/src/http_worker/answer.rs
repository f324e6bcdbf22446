//! Whose word an HTTP answer is. There is no `grpc-status` to tell, so a status counts as the worker's own only where
//! nothing before the worker says the same.

use std::{error::Error, time::Duration};

use brigade_proto::v1::ProcessResponse;
use http::{
    HeaderMap, Response,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use http_body::Body as _;
use serde_json::Value;
use tonic::Code;

use super::transport::BoxError;
use crate::{
    answer::{Answer, TransportError, WorkerAnswer, causes, chain},
    identity,
};

/// What is read of an answer. It is a line for people; the status has said the rest.
const MAX_BODY: usize = 64 * 1024;
/// A line for people, in bytes.
const MAX_LINE: usize = 1024;

/// The answer that a response amounts to, once its body is here.
pub(super) async fn of(response: Response<reqwest::Body>) -> Answer {
    let (head, body) = response.into_parts();
    let body = match read(body).await {
        Ok(body) => body,
        Err(error) => return Answer::Transport(TransportError::CutShort(chain(&error))),
    };
    classify(head.status.as_u16(), &head.headers, &body)
}

async fn read(body: reqwest::Body) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = std::pin::pin!(body);
    let mut read = Vec::new();
    while let Some(frame) = std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await
    {
        if let Ok(data) = frame?.into_data() {
            let room = MAX_BODY - read.len();
            read.extend_from_slice(&data[..data.len().min(room)]);
        }
        if read.len() == MAX_BODY {
            break;
        }
    }
    Ok(read)
}

fn classify(status: u16, headers: &HeaderMap, body: &[u8]) -> Answer {
    let retry_after = headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.trim().parse().ok())
        .map(Duration::from_secs);
    let own = |code| {
        Answer::Worker(Box::new(WorkerAnswer {
            code,
            message: words(headers, body).unwrap_or_else(|| format!("HTTP {status} without words")),
            retry_after,
            response: ProcessResponse::default(),
        }))
    };
    match status {
        200 | 201 | 204 => Answer::ok(accepted(headers, body)),
        500 if !is_front_ends(headers, body) => own(Code::Internal),
        408 | 425 => own(Code::Unavailable),
        _ => Answer::Transport(TransportError::Http {
            status,
            retry_after,
        }),
    }
}

/// Whether this is the page that Google's front end answers when a container breaks. Its headers do not tell: the front
/// end puts its name on a container's own answers as well.
fn is_front_ends(headers: &HeaderMap, body: &[u8]) -> bool {
    let page = String::from_utf8_lossy(body);
    is(headers, "text/html") && page.contains("<h1>Error: Server Error</h1>")
}

fn is(headers: &HeaderMap, media_type: &str) -> bool {
    let given = headers.get(CONTENT_TYPE).map(http::HeaderValue::as_bytes);
    given.is_some_and(|given| {
        given
            .get(..media_type.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(media_type.as_bytes()))
    })
}

/// A `ProcessResponse`, or whatever line an existing service answers.
fn accepted(headers: &HeaderMap, body: &[u8]) -> ProcessResponse {
    serde_json::from_slice(body).unwrap_or_else(|_| ProcessResponse {
        summary: words(headers, body).unwrap_or_default(),
        ..ProcessResponse::default()
    })
}

/// What people read: the field of a JSON object that is for them, a page's title, or the text itself.
fn words(headers: &HeaderMap, body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let words = match serde_json::from_slice::<Value>(body) {
        Ok(Value::String(line)) => line,
        Ok(Value::Object(fields)) => ["error", "message", "detail", "description", "summary"]
            .into_iter()
            .find_map(|field| fields.get(field)?.as_str().map(str::to_owned))
            .unwrap_or_else(|| text.to_string()),
        Err(_) if is(headers, "text/html") => {
            let (_, rest) = text.split_once("<title>")?;
            rest.split_once("</title>")?.0.to_owned()
        }
        Ok(_) | Err(_) => text.to_string(),
    };
    let words = words.trim();
    let words = &words[..words.floor_char_boundary(MAX_LINE)];
    (!words.is_empty()).then(|| words.to_owned())
}

/// A call that got no answer.
pub(super) fn of_error(error: &BoxError) -> Answer {
    let error: &(dyn Error + 'static) = &**error;
    for cause in causes(error) {
        if let Some(error) = cause.downcast_ref::<identity::Error>() {
            return Answer::Transport(TransportError::Identity {
                message: error.to_string(),
                transient: error.is_transient(),
            });
        }
        if let Some(error) = cause.downcast_ref::<reqwest::Error>()
            && error.is_connect()
        {
            return Answer::Transport(TransportError::Connect(chain(error)));
        }
    }
    Answer::Transport(TransportError::Reset(chain(error)))
}
