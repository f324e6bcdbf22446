//! IAM Credentials' `generateIdToken`.

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
    response::{IntoResponse, Response},
    routing::post,
};
use serde::Deserialize;
use serde_json::json;

use super::issuer::Issuer;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Generate {
    audience: String,
    #[serde(default)]
    include_email: bool,
}

pub(super) fn routes(issuer: Issuer) -> Router {
    Router::new().route("/v1/projects/-/serviceAccounts/{call}", post(generate)).with_state(issuer)
}

/// Any access token that was given out here may act as any account: roles are about storage alone.
async fn generate(
    State(issuer): State<Issuer>,
    Path(call): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Generate>,
) -> Response {
    if bearer(&headers).and_then(|token| issuer.accounts().holder(token)).is_none() {
        return refused(
            StatusCode::UNAUTHORIZED,
            "UNAUTHENTICATED",
            "Request had invalid authentication credentials.",
        );
    }
    let Some(name) = call.strip_suffix(":generateIdToken") else {
        return refused(
            StatusCode::NOT_FOUND,
            "NOT_FOUND",
            "The emulator supports generateIdToken only.",
        );
    };
    match issuer.accounts().find(name) {
        None => refused(
            StatusCode::NOT_FOUND,
            "NOT_FOUND",
            "Not found; Gaia id not found for the service account.",
        ),
        Some(email) if body.include_email => {
            Json(json!({"token": issuer.mint(&email, &body.audience)})).into_response()
        }
        Some(email) => {
            Json(json!({"token": issuer.mint_short(&email, &body.audience)})).into_response()
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

fn refused(code: StatusCode, status: &str, message: &str) -> Response {
    let body = json!({"error": {"code": code.as_u16(), "message": message, "status": status}});
    (code, Json(body)).into_response()
}
