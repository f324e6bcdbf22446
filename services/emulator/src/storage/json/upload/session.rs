//! The resumable uploads under way.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::body::Body;
use http::{HeaderValue, Response, StatusCode, header};
use tokio::sync::Mutex;

use super::{
    json_response,
    range::ContentRange,
    receive::{Receiver, next},
    resource,
    target::Target,
};
use crate::storage::handle::Storage;
use brigade_model::{Draft, Kind, Object, Refusal, Result, Upload};

/// 308 without a `Location`: go on.
const INCOMPLETE: StatusCode = StatusCode::PERMANENT_REDIRECT;

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
    content: Receiver,
    /// How many bytes the last answer told of.
    acknowledged: u64,
    pub(super) done: Option<Object>,
}

// === impl Sessions ===

impl Sessions {
    pub(super) async fn open(&self, target: Target, upload: Upload, content: Receiver) -> String {
        let id = format!("upload-{}", self.shared.last.fetch_add(1, Ordering::Relaxed) + 1);
        let session = Session { target, upload, content, acknowledged: 0, done: None };
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
    pub(super) async fn receive(&mut self, range: ContentRange, body: &mut Body) -> Result<bool> {
        // A request that broke off may have left more.
        self.content.truncate(self.acknowledged);
        let is_complete = match range {
            ContentRange::Query { total } => total == Some(self.content.size()),
            ContentRange::Rest { first } => {
                self.append(first, None, body).await?;
                true
            }
            ContentRange::Chunk { first, total: Some(total) } => {
                self.append(first, Some(total), body).await?;
                self.content.size() == total
            }
            ContentRange::Chunk { first, total: None } => {
                self.append(first, None, body).await?;
                self.content.truncate(self.acknowledged);
                false
            }
        };
        self.acknowledged = self.content.size();
        Ok(is_complete)
    }

    /// Appends what is new of a chunk: a client that lost an answer sends bytes again.
    async fn append(&self, first: u64, total: Option<u64>, body: &mut Body) -> Result<()> {
        let mut known = self.content.size().checked_sub(first).ok_or_else(|| {
            Refusal::invalid("The chunk begins after the end of the bytes received so far.")
        })?;
        while let Some(bytes) = next(body).await? {
            let skipped = usize::try_from(known).unwrap_or(usize::MAX).min(bytes.len());
            known -= skipped as u64;
            let new = &bytes[skipped..];
            if total.is_some_and(|total| self.content.size() + new.len() as u64 > total) {
                return Err(Refusal::invalid(
                    "There are more bytes than the Content-Range's total.",
                ));
            }
            self.content.push(new).await?;
        }
        Ok(())
    }

    pub(super) async fn finish(&mut self, storage: &Storage) -> Result<()> {
        let Upload { attributes, crc32c, md5, .. } = &self.upload;
        let (attributes, crc32c, md5) = (attributes.clone(), *crc32c, *md5);
        let upload = Upload { attributes, crc32c, md5, ..Upload::default() };
        let object = self.target.clone().insert(storage, upload, &self.content).await?;
        self.content = Receiver::new(Draft::in_memory());
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
        if let Some(last) = self.content.size().checked_sub(1)
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
