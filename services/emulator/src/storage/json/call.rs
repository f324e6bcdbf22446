//! One call: what its path, its query, its headers and its body say.

use axum::body::{Body, Bytes};
use http::{Request, Response, request::Parts};
use http_body_util::BodyExt as _;
use serde::Deserialize;

use super::{Params, upload::Sessions};
use crate::storage::handle::Storage;
use brigade_model::{Refusal, Result};

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
    pub(super) body: Bytes,
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
        is_media: bool,
    ) -> Result<Self> {
        let params = Params::parse(request.uri().query())?;
        let (head, body) = request.into_parts();
        // A refusal while the body is still arriving would cut the connection instead of answering.
        let body = body
            .collect()
            .await
            .map_err(|error| Refusal::invalid(format!("The request's body broke off: {error}.")))?;
        Ok(Self { storage, sessions, at, params, head, body: body.to_bytes(), is_media })
    }
}
