//! A call that counts as in flight.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower::{Service, util::Oneshot};

use super::{CallGuard, body::TrackedBody};

pin_project! {
    /// Passes its guard on to the response's body.
    pub(crate) struct TrackedCall<S, A>
    where
        S: Service<Request<A>>,
    {
        #[pin]
        call: Oneshot<S, Request<A>>,
        guard: Option<CallGuard>,
    }
}

impl<S: Service<Request<A>>, A> TrackedCall<S, A> {
    pub(super) fn new(call: Oneshot<S, Request<A>>, guard: CallGuard) -> Self {
        Self {
            call,
            guard: Some(guard),
        }
    }
}

impl<S, A, B> Future for TrackedCall<S, A>
where
    S: Service<Request<A>, Response = Response<B>>,
{
    type Output = Result<Response<TrackedBody<B>>, S::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.call.poll(context))?;
        let guard = this.guard.take();
        Poll::Ready(Ok(response.map(|body| TrackedBody::new(body, guard))))
    }
}
