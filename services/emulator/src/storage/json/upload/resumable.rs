//! Resumable uploads: a session, chunks, the question how far it got.
//!
//! Conditions and holds are checked when the last byte is there. That Cloud Storage does so is from memory.

use axum::body::Body;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode, header, request::Parts};

use super::{
    Answer, Call, header_text,
    range::ContentRange,
    session::{Sessions, with_status},
    sum,
    target::Target,
};
use crate::storage::{drain::drain, handle::Storage};
use brigade_model::{Refusal, Upload};

/// What a cancelled upload is answered with; no standard knows this status.
const CANCELLED: u16 = 499;

/// Opens a session; its address is in the answer's `Location`.
pub(super) async fn start(
    storage: &Storage,
    sessions: &Sessions,
    target: Target,
    upload: Upload,
    head: &Parts,
) -> Answer {
    let content = target.receiver(storage).await?;
    let path = format!("/upload/storage/v1/b/{}/o?uploadType=resumable&upload_id=", target.bucket);
    let id = sessions.open(target, upload, content).await;
    let mut response = Response::new(Body::empty());
    let location = format!("{}{path}{id}", origin(head));
    let location = HeaderValue::try_from(location)
        .map_err(|_| Refusal::invalid("The Host header is not an address."))?;
    response.headers_mut().insert(header::LOCATION, location);
    let id = HeaderValue::try_from(id).map_err(|_| Refusal::invalid("no upload id"))?;
    response.headers_mut().insert(HeaderName::from_static("x-guploader-uploadid"), id);
    Ok(response)
}

/// A later request of a session.
pub(in super::super) async fn proceed(mut call: Call) -> Answer {
    let answer = answer(&mut call).await;
    drain(&mut call.upload).await;
    answer
}

async fn answer(call: &mut Call) -> Answer {
    let Call { storage, sessions, params, head, upload: body, .. } = call;
    let id = params.text("upload_id");
    let session = sessions.find(&id).await?;
    if head.method == Method::DELETE {
        sessions.close(&id).await;
        return Ok(with_status(StatusCode::from_u16(CANCELLED).unwrap_or(StatusCode::GONE)));
    }
    let range = ContentRange::parse(&header_text(head, header::CONTENT_RANGE.as_str()))?;
    let mut session = session.lock().await;
    if session.done.is_none() {
        sum::from_headers(head, &mut session.upload)?;
        if !session.receive(range, body).await? {
            return Ok(session.incomplete());
        }
        session.finish(storage).await?;
    }
    session.answer()
}

/// The address by which the client reached this server.
fn origin(head: &Parts) -> String {
    let host = header_text(head, header::HOST.as_str());
    let authority = head.uri.authority().map_or(host.as_str(), |authority| authority.as_str());
    format!("http://{authority}")
}
