//! A call whose token is being had.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Request;
use pin_project_lite::pin_project;
use tower::Service;

use super::service::{BoxError, attach};
use crate::identity::{Error, IdToken};

type Token = Pin<Box<dyn Future<Output = Result<IdToken, Error>> + Send>>;

pin_project! {
    /// Gets the token, then makes the call.
    pub struct AttachFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        // Taken when the token is there.
        waiting: Option<(S, Request<B>)>,
        token: Token,
        #[pin]
        called: Option<S::Future>,
    }
}

impl<S: Service<Request<B>>, B> AttachFuture<S, B> {
    pub(super) fn new(inner: S, request: Request<B>, token: Token) -> Self {
        Self {
            waiting: Some((inner, request)),
            token,
            called: None,
        }
    }
}

impl<S, B> Future for AttachFuture<S, B>
where
    S: Service<Request<B>, Error: Into<BoxError>>,
{
    type Output = Result<S::Response, BoxError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if this.waiting.is_some() {
            let token = ready!(this.token.as_mut().poll(context))?;
            if let Some((mut inner, mut request)) = this.waiting.take() {
                attach(&mut request, &token)?;
                this.called.set(Some(inner.call(request)));
            }
        }
        match this.called.as_pin_mut() {
            Some(called) => called.poll(context).map_err(Into::into),
            None => Poll::Pending,
        }
    }
}
