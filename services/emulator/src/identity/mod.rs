//! Identity: an issuer of ID tokens with Google's name and keys of its own, and the ways to a token that Google has.
//!
//! Tokens verify with the keys at `/oauth2/v3/certs`. They come from the metadata server, from the exchange of a key
//! file's assertion at `/token`, from IAM's `generateIdToken`, and in tests from [`Issuer::mint`] and [`Issuer::sign`].

mod accounts;
mod exchange;
mod iam;
mod issuer;
mod key;
mod keys;
mod metadata;
#[cfg(test)]
mod tests;

use axum::{
    Json, Router,
    extract::{Request, State},
    http::header::CACHE_CONTROL,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;

pub use self::issuer::{ISSUER, Issuer};
use crate::serve::Hangup;

/// Where the keys are; the same path as Google's.
pub(crate) const JWKS_PATH: &str = "/oauth2/v3/certs";

/// Where a key file's assertion is exchanged; the same path as Google's.
const TOKEN_PATH: &str = "/token";

/// The one project there is.
const PROJECT: &str = "brigade-dev";

/// An access token's life as it is reported, in seconds.
const ACCESS_LIFE: u32 = 3_599;

/// Everything that hands out tokens or keys.
pub(crate) fn routes(issuer: &Issuer) -> Router {
    Router::new()
        .route(JWKS_PATH, get(jwks))
        .with_state(issuer.clone())
        .merge(metadata::routes(issuer.clone()))
        .merge(exchange::routes(issuer.clone()))
        .merge(iam::routes(issuer.clone()))
        .layer(middleware::from_fn_with_state(issuer.clone(), alive))
}

/// Whether a token is asked for at this path.
pub(crate) fn is_token(path: &str) -> bool {
    path.ends_with(TOKEN_PATH) || path.ends_with("/identity") || path.ends_with(":generateIdToken")
}

/// A dead part answers nothing: the connection is reset.
async fn alive(State(issuer): State<Issuer>, request: Request, next: Next) -> Response {
    if !issuer.is_dead() {
        return next.run(request).await;
    }
    let hangup = request.extensions().get::<Hangup>().cloned();
    hangup.unwrap_or_default().0.cancel();
    std::future::pending().await
}

async fn jwks(State(issuer): State<Issuer>) -> impl IntoResponse {
    issuer.count_fetch();
    let cached = [(CACHE_CONTROL, "public, max-age=3600, must-revalidate, no-transform")];
    (cached, Json(issuer.jwks()))
}

fn access_token(issuer: &Issuer, email: &str) -> Response {
    let token = issuer.accounts().access_token(email);
    Json(json!({"access_token": token, "expires_in": ACCESS_LIFE, "token_type": "Bearer"}))
        .into_response()
}
