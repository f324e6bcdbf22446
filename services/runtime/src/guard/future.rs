//! A call on its way through the guard.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::{
    http::{Request, Response},
    response::IntoResponse,
};
use pin_project_lite::pin_project;
use tower::Service;

use super::{claims::Caller, error::Refusal, verify::Guard};
use crate::app::is_grpc;

type Check = Pin<Box<dyn Future<Output = Result<Option<Caller>, Refusal>> + Send>>;

pin_project! {
    /// Checks the token, then calls the service within, or answers why not.
    pub struct GuardFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        // Taken when the check has ended.
        waiting: Option<(S, Request<B>)>,
        check: Check,
        #[pin]
        called: Option<S::Future>,
    }
}

impl<S: Service<Request<B>>, B> GuardFuture<S, B> {
    pub(super) fn new(guard: Arc<Guard>, inner: S, request: Request<B>) -> Self {
        let headers = request.headers().clone();
        Self {
            waiting: Some((inner, request)),
            check: Box::pin(async move { guard.check(&headers).await }),
            called: None,
        }
    }
}

impl<S, B> Future for GuardFuture<S, B>
where
    S: Service<Request<B>, Response: IntoResponse>,
{
    type Output = Result<Response<axum::body::Body>, S::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if this.waiting.is_some() {
            let checked = ready!(this.check.as_mut().poll(context));
            if let Some((mut inner, mut request)) = this.waiting.take() {
                match checked {
                    Err(refusal) => {
                        tracing::info!(path = request.uri().path(), check = %refusal, "call refused");
                        return Poll::Ready(Ok(refusal.response(is_grpc(request.headers()))));
                    }
                    Ok(None) => {}
                    Ok(Some(caller)) => {
                        tracing::debug!(path = request.uri().path(), caller = caller.email, "call accepted");
                        request.extensions_mut().insert(caller);
                    }
                }
                this.called.set(Some(inner.call(request)));
            }
        }
        match this.called.as_pin_mut() {
            Some(called) => called.poll(context).map_ok(IntoResponse::into_response),
            None => Poll::Pending,
        }
    }
}
