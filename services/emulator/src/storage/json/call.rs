//! One call: what its path, its query, its headers and its body say.

use axum::body::{Body, Bytes};
use http::{Request, Response, request::Parts};
use http_body_util::BodyExt as _;
use serde::Deserialize;

use super::{Params, body::broke_off, is_media, unsupported, upload::Sessions};
use crate::storage::{drain::drain, handle::Storage, operation::Operation};
use brigade_model::Result;

/// What a call is answered with.
pub(super) type Answer = Result<Response<Body>>;

/// A call of the JSON API.
pub(super) struct Call {
    /// With what the caller may do.
    pub(super) storage: Storage,
    pub(super) sessions: Sessions,
    pub(super) at: Names,
    pub(super) params: Params,
    pub(super) head: Parts,
    /// The body, but of an upload.
    pub(super) body: Bytes,
    /// The body of an upload, which is still arriving.
    pub(super) upload: Body,
    /// Whether it is about an object's content, where errors are plain text.
    pub(super) is_media: bool,
}

/// The names in the path. One that is not there is empty.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Names {
    pub(super) bucket: String,
    pub(super) object: String,
    pub(super) to_bucket: String,
    pub(super) to_object: String,
}

impl Call {
    pub(super) async fn read(
        storage: Storage,
        sessions: Sessions,
        at: Names,
        request: Request<Body>,
        operation: Operation,
    ) -> Result<Self> {
        let is_media = operation == Operation::Get && is_media(&request);
        let (head, mut upload) = request.into_parts();
        let params = Params::parse(head.uri.query())
            .and_then(|params| unsupported::refuse(&params, &head.headers).map(|()| params));
        let params = match params {
            Ok(params) => params,
            Err(refusal) => {
                drain(&mut upload).await;
                return Err(refusal);
            }
        };
        let body = if matches!(operation, Operation::Insert | Operation::Chunk) {
            Bytes::new()
        } else {
            // A refusal while the body is still arriving would cut the connection instead of answering.
            let body = std::mem::take(&mut upload).collect().await;
            body.map_err(|error| broke_off(&error))?.to_bytes()
        };
        Ok(Self { storage, sessions, at, params, head, body, upload, is_media })
    }
}
