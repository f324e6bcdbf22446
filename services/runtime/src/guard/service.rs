//! The guarded service.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    http::{Request, Response},
    response::IntoResponse,
};
use tower::Service;

use super::{future::GuardFuture, verify::Guard};

/// Forwards a call to the inner service when its token is valid.
#[derive(Clone, Debug)]
pub struct GuardService<S> {
    guard: Arc<Guard>,
    inner: S,
}

impl<S> GuardService<S> {
    pub(super) fn new(guard: Arc<Guard>, inner: S) -> Self {
        Self { guard, inner }
    }
}

impl<S, B> Service<Request<B>> for GuardService<S>
where
    S: Service<Request<B>, Response: IntoResponse> + Clone,
{
    type Response = Response<axum::body::Body>;
    type Error = S::Error;
    type Future = GuardFuture<S, B>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        GuardFuture::new(&self.guard, &mut self.inner, request)
    }
}
