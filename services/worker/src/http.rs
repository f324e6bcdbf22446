//! `POST /process`: the same service for callers that speak no gRPC.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
    routing::post,
};
use brigade_proto::v1::ProcessRequest;
use serde_json::json;

use crate::{error::ProcessError, processor::Processor, routes::MAX_MESSAGE, service::Service};

/// The HTTP route.
pub(crate) fn routes<P: Processor>(service: Arc<Service<P>>) -> Router {
    Router::new()
        .route("/process", post(process::<P>))
        .layer(DefaultBodyLimit::max(MAX_MESSAGE))
        .with_state(service)
}

/// 200 with a `ProcessResponse`: processed. 500: this object cannot be. 503, 429, 408: try again. 400: no request.
async fn process<P: Processor>(State(service): State<Arc<Service<P>>>, body: Bytes) -> Response {
    let request: ProcessRequest = match serde_json::from_slice(&body) {
        Ok(request) => request,
        Err(error) => {
            let why = format!("the body is not a ProcessRequest in proto3 JSON: {error}");
            return (StatusCode::BAD_REQUEST, Json(json!({ "error": why }))).into_response();
        }
    };
    match service.process(request, None).await {
        Ok(done) => Json(done).into_response(),
        Err(error) => refuse(&error),
    }
}

fn refuse(error: &ProcessError) -> Response {
    let (status, retry_after) = error.http();
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, Json(json!({ "error": error.to_string() }))).into_response();
    if let Some(seconds) = retry_after {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
