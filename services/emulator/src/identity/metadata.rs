//! The metadata server: <https://cloud.google.com/compute/docs/metadata/overview>.

use axum::{
    Json, Router,
    extract::{Path, Query, Request, State},
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Deserialize;
use serde_json::json;

use super::{PROJECT, issuer::Issuer};

/// The header that a request must have, and every answer has.
const FLAVOR: (&str, &str) = ("metadata-flavor", "Google");

const ACCOUNTS: &str = "/computeMetadata/v1/instance/service-accounts";

#[derive(Debug, Deserialize)]
struct Identity {
    audience: Option<String>,
    format: Option<String>,
}

pub(super) fn routes(issuer: Issuer) -> Router {
    let account = format!("{ACCOUNTS}/{{account}}");
    Router::new()
        .route(&format!("{account}/"), get(describe))
        .route(&format!("{account}/identity"), get(identity))
        .route(&format!("{account}/token"), get(token))
        .route(&format!("{account}/email"), get(email))
        .route("/computeMetadata/v1/project/project-id", get(async || PROJECT))
        .route("/computeMetadata/v1/universe/universe-domain", get(async || "googleapis.com"))
        .route_layer(middleware::from_fn(flavored))
        // Clients look here, without a flavor, whether there is a metadata server at all.
        .route("/", get(async || ([FLAVOR], "computeMetadata/\n")))
        .with_state(issuer)
}

/// Refuses requests that could come from a page in a browser, or were forwarded.
async fn flavored(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let is_flavored = headers.get(FLAVOR.0).is_some_and(|flavor| flavor == FLAVOR.1);
    let answer = if !is_flavored {
        (StatusCode::FORBIDDEN, "Missing Metadata-Flavor:Google header.\n").into_response()
    } else if headers.contains_key("x-forwarded-for") {
        (StatusCode::FORBIDDEN, "Requests with X-Forwarded-For are refused.\n").into_response()
    } else {
        next.run(request).await
    };
    ([FLAVOR], answer).into_response()
}

async fn identity(
    State(issuer): State<Issuer>,
    Path(account): Path<String>,
    Query(query): Query<Identity>,
) -> Response {
    let Some(email) = issuer.accounts().find(&account) else {
        return unknown(&account);
    };
    match query.audience.filter(|audience| !audience.is_empty()) {
        None => {
            (StatusCode::BAD_REQUEST, "non-empty audience parameter required\n").into_response()
        }
        Some(audience) if query.format.as_deref() == Some("full") => {
            issuer.mint(&email, &audience).into_response()
        }
        Some(audience) => issuer.mint_short(&email, &audience).into_response(),
    }
}

async fn token(State(issuer): State<Issuer>, Path(account): Path<String>) -> Response {
    match issuer.accounts().find(&account) {
        Some(email) => super::access_token(&issuer, &email),
        None => unknown(&account),
    }
}

async fn email(State(issuer): State<Issuer>, Path(account): Path<String>) -> Response {
    match issuer.accounts().find(&account) {
        Some(email) => email.into_response(),
        None => unknown(&account),
    }
}

async fn describe(State(issuer): State<Issuer>, Path(account): Path<String>) -> Response {
    match issuer.accounts().find(&account) {
        Some(email) => Json(json!({
            "aliases": ["default"],
            "email": email,
            "scopes": ["https://www.googleapis.com/auth/cloud-platform"],
        }))
        .into_response(),
        None => unknown(&account),
    }
}

fn unknown(account: &str) -> Response {
    let why = format!("service account not defined: {}\n", account.escape_debug());
    (StatusCode::NOT_FOUND, why).into_response()
}
