//! Who returned an HTTP status. There is no `grpc-status` to tell, so a status counts as the worker's own only where nothing
//! before the worker returns the same.

use brigade_proto::v1::ProcessResponse;
use http::{HeaderMap, Response, header::CONTENT_TYPE};
use http_body::Body as _;
use serde_json::Value;
use tonic::Code;

use crate::answer::{Answer, TransportError, chain, retry_after};

/// Bytes read of a body: it holds a line for the user, and the status decides.
const MAX_BODY: usize = 64 * 1024;
/// Bytes kept of that line.
const MAX_TEXT: usize = 1024;

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

fn classify(status: u16, headers: &HeaderMap, body: &[u8]) -> Answer {
    let retry_after = retry_after(headers);
    let own = |code| {
        let text = text(headers, body);
        let message = text.unwrap_or_else(|| format!("HTTP {status} with an empty body"));
        Answer::refused(code, message, retry_after)
    };
    match status {
        200 | 201 | 204 => Answer::ok(parse_response(headers, body)),
        500 if !is_front_end_page(headers, body) => own(Code::Internal),
        408 | 425 => own(Code::Unavailable),
        _ => Answer::Transport(TransportError::Http { status, retry_after }),
    }
}

/// Whether this is the page that Google's front end returns when a container breaks. Headers do not tell: the front end
/// puts its name on a container's own responses as well.
fn is_front_end_page(headers: &HeaderMap, body: &[u8]) -> bool {
    let page = String::from_utf8_lossy(body);
    has_media_type(headers, "text/html") && page.contains("<h1>Error: Server Error</h1>")
}

fn has_media_type(headers: &HeaderMap, media_type: &str) -> bool {
    let given = headers.get(CONTENT_TYPE).map(http::HeaderValue::as_bytes);
    given.is_some_and(|given| {
        given
            .get(..media_type.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(media_type.as_bytes()))
    })
}

/// A `ProcessResponse`, or the line that an existing service returns as its summary.
fn parse_response(headers: &HeaderMap, body: &[u8]) -> ProcessResponse {
    serde_json::from_slice(body).unwrap_or_else(|_| ProcessResponse {
        summary: text(headers, body).unwrap_or_default(),
        ..ProcessResponse::default()
    })
}

/// The readable part: a JSON object's message, a page's title, or the text itself.
fn text(headers: &HeaderMap, body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let words = match serde_json::from_slice::<Value>(body) {
        Ok(Value::String(line)) => line,
        Ok(Value::Object(fields)) => ["error", "message", "detail", "description", "summary"]
            .into_iter()
            .find_map(|field| fields.get(field)?.as_str().map(str::to_owned))
            .unwrap_or_else(|| text.to_string()),
        Err(_) if has_media_type(headers, "text/html") => {
            let (_, rest) = text.split_once("<title>")?;
            rest.split_once("</title>")?.0.to_owned()
        }
        Ok(_) | Err(_) => text.to_string(),
    };
    let words = words.trim();
    let words = &words[..words.floor_char_boundary(MAX_TEXT)];
    (!words.is_empty()).then(|| words.to_owned())
}
