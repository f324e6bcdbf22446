//! A call on its way, counted.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower::{Service, util::Oneshot};

use super::{InFlight, body::Counted};

pin_project! {
    /// Hands its count on to the answer's body.
    pub(crate) struct Counting<S, A>
    where
        S: Service<Request<A>>,
    {
        #[pin]
        call: Oneshot<S, Request<A>>,
        in_flight: Option<InFlight>,
    }
}

impl<S: Service<Request<A>>, A> Counting<S, A> {
    pub(super) fn new(call: Oneshot<S, Request<A>>, in_flight: InFlight) -> Self {
        Self {
            call,
            in_flight: Some(in_flight),
        }
    }
}

impl<S, A, B> Future for Counting<S, A>
where
    S: Service<Request<A>, Response = Response<B>>,
{
    type Output = Result<Response<Counted<B>>, S::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.call.poll(context))?;
        let in_flight = this.in_flight.take();
        Poll::Ready(Ok(response.map(|body| Counted::new(body, in_flight))))
    }
}
