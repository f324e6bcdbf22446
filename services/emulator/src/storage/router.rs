//! Both APIs as one router, each call with what its caller may do.

use std::sync::Arc;

use axum::{Router, body::Body, middleware, response::IntoResponse as _, routing::any};
use http::{HeaderMap, Request, header::AUTHORIZATION};
use tower::ServiceExt as _;

use super::{
    grpc::{
        self, control::storage_control_server::StorageControlServer,
        wire::storage_server::StorageServer,
    },
    handle::Storage,
    inject_faults::{inject_faults, is_grpc, refused},
    json,
};
use crate::identity::Issuer;
use brigade_model::{Access, Kind, Refusal, Role};

/// Who may do what, by the access tokens of this issuer.
#[derive(Clone, Debug)]
pub(crate) struct Grants {
    issuer: Issuer,
    roles: Arc<[Role]>,
}

impl Grants {
    pub(crate) fn new(issuer: Issuer, roles: Vec<Role>) -> Self {
        Self { issuer, roles: roles.into() }
    }

    /// What the sender of these headers may do.
    fn access(&self, headers: &HeaderMap) -> Access {
        if self.roles.is_empty() {
            return Access::All;
        }
        let Some(header) = headers.get(AUTHORIZATION) else {
            return Access::Anonymous;
        };
        let token = header.to_str().ok().and_then(|value| value.strip_prefix("Bearer "));
        match token.and_then(|token| self.issuer.holder(token)) {
            Some(account) => Access::Account(account, Arc::clone(&self.roles)),
            None => Access::BadToken,
        }
    }
}

/// gRPC at its services' paths, JSON everywhere else.
pub(crate) fn router(storage: &Storage, grants: Grants) -> Router {
    let (for_grpc, for_control, for_json) = (grants.clone(), grants.clone(), grants);
    let (behind_grpc, behind_control) = (storage.clone(), storage.clone());
    let (behind_json, json) = (storage.clone(), json::routes(storage));
    Router::new()
        .route(
            "/google.storage.v2.Storage/{*call}",
            any(move |request: Request<Body>| {
                let storage = behind_grpc.acting(for_grpc.access(request.headers()));
                StorageServer::new(grpc::Service::new(storage)).oneshot(request)
            })
            .layer(middleware::from_fn_with_state((storage.clone(), None), inject_faults)),
        )
        .route(
            "/google.storage.control.v2.StorageControl/{*call}",
            any(move |request: Request<Body>| {
                let storage = behind_control.acting(for_control.access(request.headers()));
                StorageControlServer::new(grpc::Service::new(storage)).oneshot(request)
            })
            .layer(middleware::from_fn_with_state((storage.clone(), None), inject_faults)),
        )
        .fallback(move |mut request: Request<Body>| {
            let json = json.clone();
            let storage = behind_json.acting(for_json.access(request.headers()));
            request.extensions_mut().insert(storage);
            async move {
                if is_grpc(&request) {
                    let unknown = Refusal::new(Kind::NoRoute, "There is no such service here.");
                    refused(true, &unknown).into_response()
                } else {
                    json::answer(json, request).await
                }
            }
        })
}
