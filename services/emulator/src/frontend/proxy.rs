//! One call from end to end.

use std::sync::Arc;

use axum::body::Body;
use http::{Request, Response, Version, header::CONTENT_LENGTH};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    body::Passing,
    fault::{Effect, Faults},
    forward::{forward, remove_connection_headers},
    gate::Gate,
    page::Refused,
    service::Service,
    upstream::Upstream,
};
use crate::identity::Issuer;

/// What a front end passes calls through.
#[derive(Debug)]
pub(super) struct Proxy {
    name: String,
    probe: Option<String>,
    gate: Gate,
    room: Arc<Semaphore>,
    upstream: Upstream,
    pub(super) faults: Faults,
}

impl Proxy {
    /// The front end of a service that is reached at `origin`.
    pub(super) fn new(issuer: Issuer, origin: &str, service: &Service) -> Self {
        Self {
            name: service.name.clone(),
            probe: service.probe.clone(),
            gate: Gate::new(issuer, origin, service),
            room: Arc::new(Semaphore::new(service.max_in_flight)),
            upstream: Upstream::new(service.target, service.http1),
            faults: Faults::default(),
        }
    }

    /// The container's answer, or a page.
    pub(super) async fn handle(&self, request: Request<Body>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        self.pass(request).await.unwrap_or_else(|refused| {
            let (service, why) = (&self.name, refused.why());
            if self.probe.as_ref() == Some(&path) {
                tracing::debug!(service, path, why, "the front end refused a probe");
            } else {
                tracing::warn!(service, path, why, "the front end refused a call");
            }
            refused.answer(&path)
        })
    }

    async fn pass(&self, mut request: Request<Body>) -> Result<Response<Body>, Refused> {
        let mut cut = false;
        match self.faults.meet() {
            None => {}
            Some(Effect::Page(status)) => return Err(Refused::Fault(status)),
            Some(Effect::Delay(by)) => tokio::time::sleep(by).await,
            Some(Effect::Cut) => cut = true,
        }
        self.gate.admit(&mut request)?;
        let permit = Arc::clone(&self.room).try_acquire_owned();
        let permit = permit.map_err(|_| Refused::Busy)?;
        self.ask(forward(request, self.upstream.version()), cut, permit).await
    }

    async fn ask(
        &self,
        request: Request<Body>,
        cut: bool,
        permit: OwnedSemaphorePermit,
    ) -> Result<Response<Body>, Refused> {
        let answered = self.upstream.send(request).await.map_err(|error| {
            tracing::warn!(service = self.name, %error, "the container gave no answer");
            Refused::NoContainer
        })?;
        let (mut head, body) = answered.into_parts();
        remove_connection_headers(&mut head.headers);
        head.version = Version::default();
        if cut {
            // A call without messages has its status here.
            for name in ["grpc-status", "grpc-message", "grpc-status-details-bin"] {
                head.headers.remove(name);
            }
            // A client that knows the length would take the part for the whole.
            head.headers.remove(CONTENT_LENGTH);
        }
        let body = Body::new(Passing::new(body, cut, permit));
        Ok(Response::from_parts(head, body))
    }
}
