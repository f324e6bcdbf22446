//! The JSON API, with uploads and downloads.

mod body;
mod buckets;
mod download;
mod error;
mod objects;
mod params;
mod resource;
mod route;
mod upload;

use axum::{
    body::Body,
    http::{Request, Response},
};
use bytes::Bytes;
use http_body_util::BodyExt as _;

use self::upload::Sessions;
pub(crate) use self::{error::response as error_response, params::Params, route::Route};
use super::handle::Storage;
use brigade_model::{Access, Refusal, Result};

/// Serves the JSON API from a storage.
#[derive(Clone, Debug)]
pub(crate) struct Json {
    storage: Storage,
    sessions: Sessions,
}

impl Json {
    pub(crate) fn new(storage: Storage) -> Self {
        Self { storage, sessions: Sessions::default() }
    }

    /// The same, for a caller that may do no more than this.
    pub(crate) fn acting(&self, access: Access) -> Self {
        Self { storage: self.storage.acting(access), sessions: self.sessions.clone() }
    }

    /// Answers one request.
    pub(crate) async fn handle(&self, request: Request<Body>) -> Response<Body> {
        let route = Route::for_request(&request);
        let media = route.as_ref().is_ok_and(Route::is_media);
        let answer = match route {
            Ok(route) => self.answer(route, request).await,
            Err(refusal) => Err(refusal),
        };
        answer.unwrap_or_else(|refusal| {
            if media { error::text_response(&refusal) } else { error::response(&refusal) }
        })
    }

    async fn answer(&self, route: Route, request: Request<Body>) -> Result<Response<Body>> {
        let params = Params::parse(request.uri().query())?;
        let (head, body) = request.into_parts();
        // A refusal while the body is still arriving would cut the connection instead of answering.
        let body = read(body).await?;
        let storage = &self.storage;
        match route {
            Route::ListBuckets => buckets::list(storage, &params).await,
            Route::CreateBucket => buckets::create(storage, &body).await,
            Route::GetBucket(bucket) => buckets::get(storage, bucket, &params).await,
            Route::DeleteBucket(bucket) => buckets::delete(storage, bucket, &params).await,
            Route::List(bucket) => objects::list(storage, bucket, params).await,
            Route::Get(at) => objects::get(storage, at, &params).await,
            Route::Download(at) => download::download(storage, at, &params, &head).await,
            Route::Patch(at) => objects::patch(storage, at, &params, &body).await,
            Route::Update(at) => objects::update(storage, at, &params, &body).await,
            Route::Delete(at) => objects::delete(storage, at, &params).await,
            Route::Rewrite(from, to) => objects::rewrite(storage, from, to, &params, &body).await,
            Route::Copy(from, to) => objects::copy(storage, from, to, &params, &body).await,
            Route::Move(from, to) => objects::rename(storage, from, to, &params).await,
            Route::Upload(bucket) => {
                upload::begin(storage, &self.sessions, bucket, &params, &head, body).await
            }
            Route::Chunk(_) => upload::proceed(storage, &self.sessions, &params, &head, body).await,
        }
    }
}

async fn read(body: Body) -> Result<Bytes> {
    let whole = body.collect().await;
    whole
        .map(http_body_util::Collected::to_bytes)
        .map_err(|error| Refusal::invalid(format!("The request's body broke off: {error}.")))
}
