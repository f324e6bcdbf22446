//! Resumable uploads: a session, chunks, the question how far it got.
//!
//! Conditions and holds are checked when the last byte is there, as the real service does.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue, Method, Response, StatusCode, header, request::Parts};
use tokio::sync::Mutex;

use super::{Answer, Call, Target, header_text, json_response, range::ContentRange, resource, sum};
use crate::storage::handle::Storage;
use brigade_model::{Kind, Object, Refusal, Result, Upload};

/// Chunks that are not the last one are kept in steps of this many bytes.
const QUANTUM: usize = 256 * 1024;

/// 308 without a `Location`: go on.
const INCOMPLETE: StatusCode = StatusCode::PERMANENT_REDIRECT;

/// What a cancelled upload is answered with; no standard knows this status.
const CANCELLED: u16 = 499;

/// The uploads under way.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Sessions {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    last: AtomicU64,
    open: Mutex<HashMap<String, Arc<Mutex<Session>>>>,
}

#[derive(Debug)]
struct Session {
    target: Target,
    upload: Upload,
    received: BytesMut,
    done: Option<Object>,
}

/// Opens a session; its address is in the answer's `Location`.
pub(super) async fn start(
    storage: &Storage,
    sessions: &Sessions,
    target: Target,
    upload: Upload,
    head: &Parts,
) -> Answer {
    let (bucket, name) = (target.bucket.clone(), target.name.clone());
    // A wrong name and a missing bucket are known at once.
    storage.run(move |model| model.check_upload(&bucket, &name)).await?;
    let path = format!("/upload/storage/v1/b/{}/o?uploadType=resumable&upload_id=", target.bucket);
    let id = sessions.open(target, upload).await;
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
pub(in super::super) async fn proceed(call: Call) -> Answer {
    let Call { storage, sessions, params, head, body, .. } = call;
    let id = params.text("upload_id");
    let session = sessions.find(&id).await?;
    if head.method == Method::DELETE {
        sessions.close(&id).await;
        return Ok(with_status(StatusCode::from_u16(CANCELLED).unwrap_or(StatusCode::GONE)));
    }
    let range = ContentRange::parse(&header_text(&head, header::CONTENT_RANGE.as_str()))?;
    let mut session = session.lock().await;
    if session.done.is_none() {
        sum::from_headers(&head, &mut session.upload)?;
        if !session.receive(range, &body)? {
            return Ok(session.incomplete());
        }
        session.finish(&storage).await?;
    }
    session.answer()
}

// === impl Sessions ===

impl Sessions {
    async fn open(&self, target: Target, upload: Upload) -> String {
        let id = format!("upload-{}", self.shared.last.fetch_add(1, Ordering::Relaxed) + 1);
        let session = Session { target, upload, received: BytesMut::new(), done: None };
        let mut open = self.shared.open.lock().await;
        open.insert(id.clone(), Arc::new(Mutex::new(session)));
        id
    }

    async fn find(&self, id: &str) -> Result<Arc<Mutex<Session>>> {
        let open = self.shared.open.lock().await;
        let unknown = || Refusal::new(Kind::NoObject, "There is no upload with this upload_id.");
        open.get(id).cloned().ok_or_else(unknown)
    }

    async fn close(&self, id: &str) {
        self.shared.open.lock().await.remove(id);
    }
}

// === impl Session ===

impl Session {
    /// Takes what a request brings; whether the object is complete.
    fn receive(&mut self, range: ContentRange, body: &Bytes) -> Result<bool> {
        let have = self.received.len() as u64;
        match range {
            ContentRange::Query { total } => Ok(total == Some(have)),
            ContentRange::Rest { first } => {
                self.append(first, body)?;
                Ok(true)
            }
            ContentRange::Chunk { first, total: Some(total) } => {
                self.append(first, body)?;
                let have = self.received.len() as u64;
                if have > total {
                    return Err(Refusal::invalid(
                        "There are more bytes than the Content-Range's total.",
                    ));
                }
                Ok(have == total)
            }
            ContentRange::Chunk { first, total: None } => {
                self.append(first, body)?;
                let whole = self.received.len() / QUANTUM * QUANTUM;
                self.received.truncate(whole.max(usize::try_from(have).unwrap_or(usize::MAX)));
                Ok(false)
            }
        }
    }

    /// Appends what is new of a chunk: a client that lost an answer sends bytes again.
    fn append(&mut self, first: u64, body: &Bytes) -> Result<()> {
        let known = (self.received.len() as u64).checked_sub(first).ok_or_else(|| {
            Refusal::invalid("The chunk begins after the end of the bytes received so far.")
        })?;
        let known = usize::try_from(known).unwrap_or(usize::MAX).min(body.len());
        self.received.extend_from_slice(&body[known..]);
        Ok(())
    }

    async fn finish(&mut self, storage: &Storage) -> Result<()> {
        let target = self.target.clone();
        let mut upload = self.upload.clone();
        upload.content = self.received.clone().freeze();
        let object = storage
            .run(move |model| {
                model.insert(&target.bucket, &target.name, upload, &target.conditions)
            })
            .await?;
        self.received = BytesMut::new();
        self.done = Some(object);
        Ok(())
    }

    fn answer(&self) -> Answer {
        let done = self.done.as_ref();
        let object =
            done.ok_or_else(|| Refusal::new(Kind::Internal, "the upload is not complete"))?;
        Ok(json_response(&resource::object(&self.target.bucket, object)))
    }

    /// How far it got: no `Range` header means that nothing is there.
    fn incomplete(&self) -> Response<Body> {
        let mut response = with_status(INCOMPLETE);
        if let Some(last) = self.received.len().checked_sub(1)
            && let Ok(range) = HeaderValue::try_from(format!("bytes=0-{last}"))
        {
            response.headers_mut().insert(header::RANGE, range);
        }
        response
    }
}

fn with_status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// The address by which the client reached this server.
fn origin(head: &Parts) -> String {
    let host = header_text(head, header::HOST.as_str());
    let authority = head.uri.authority().map_or(host.as_str(), |authority| authority.as_str());
    format!("http://{authority}")
}
