//! The resumable uploads under way.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Response, StatusCode, header};
use tokio::sync::Mutex;

use super::{json_response, range::ContentRange, resource};
use crate::storage::handle::Storage;
use brigade_model::{Conditions, Kind, Object, Refusal, Result, Upload};

/// Chunks that are not the last one are kept in steps of this many bytes.
const QUANTUM: usize = 256 * 1024;

/// 308 without a `Location`: go on.
const INCOMPLETE: StatusCode = StatusCode::PERMANENT_REDIRECT;

/// What an upload is to become.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) bucket: String,
    pub(super) name: String,
    pub(super) conditions: Conditions,
}

/// By their ids.
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
pub(super) struct Session {
    target: Target,
    pub(super) upload: Upload,
    received: BytesMut,
    pub(super) done: Option<Object>,
}

// === impl Sessions ===

impl Sessions {
    pub(super) async fn open(&self, target: Target, upload: Upload) -> String {
        let id = format!("upload-{}", self.shared.last.fetch_add(1, Ordering::Relaxed) + 1);
        let session = Session { target, upload, received: BytesMut::new(), done: None };
        let mut open = self.shared.open.lock().await;
        open.insert(id.clone(), Arc::new(Mutex::new(session)));
        id
    }

    pub(super) async fn find(&self, id: &str) -> Result<Arc<Mutex<Session>>> {
        let open = self.shared.open.lock().await;
        let unknown = || Refusal::new(Kind::NoObject, "There is no upload with this upload_id.");
        open.get(id).cloned().ok_or_else(unknown)
    }

    pub(super) async fn close(&self, id: &str) {
        self.shared.open.lock().await.remove(id);
    }
}

// === impl Session ===

impl Session {
    /// Takes what a request brings; whether the object is complete.
    pub(super) fn receive(&mut self, range: ContentRange, body: &Bytes) -> Result<bool> {
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

    pub(super) async fn finish(&mut self, storage: &Storage) -> Result<()> {
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

    pub(super) fn answer(&self) -> Result<Response<Body>> {
        let done = self.done.as_ref();
        let object =
            done.ok_or_else(|| Refusal::new(Kind::Internal, "the upload is not complete"))?;
        Ok(json_response(&resource::object(&self.target.bucket, object)))
    }

    /// How far it got: no `Range` header means that nothing is there.
    pub(super) fn incomplete(&self) -> Response<Body> {
        let mut response = with_status(INCOMPLETE);
        if let Some(last) = self.received.len().checked_sub(1)
            && let Ok(range) = HeaderValue::try_from(format!("bytes=0-{last}"))
        {
            response.headers_mut().insert(header::RANGE, range);
        }
        response
    }
}

pub(super) fn with_status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
