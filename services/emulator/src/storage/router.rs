//! Both APIs as one router.

use axum::{Router, body::Body, middleware, response::IntoResponse as _};
use http::Request;

use super::{
    grpc::{self, wire::storage_server::StorageServer},
    handle::Storage,
    json::Json,
    meddle::{is_grpc, meddle, refused},
    refusal::{Kind, Refusal},
};

/// gRPC at its service's path, JSON everywhere else.
pub(crate) fn router(storage: &Storage) -> Router {
    let grpc = StorageServer::new(grpc::Service::new(storage.clone()));
    let json = Json::new(storage.clone());
    Router::new()
        .route_service("/google.storage.v2.Storage/{*call}", grpc)
        .fallback(move |request: Request<Body>| {
            let json = json.clone();
            async move {
                if is_grpc(&request) {
                    let unknown = Refusal::new(Kind::NoRoute, "There is no such service here.");
                    refused(true, &unknown).into_response()
                } else {
                    json.handle(request).await.into_response()
                }
            }
        })
        .layer(middleware::from_fn_with_state(storage.clone(), meddle))
}
