//! The service that records.

use std::{
    error::Error,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower::Service;

use super::{body::RecordedBody, record::Record};

/// Records the responses of the inner service.
#[derive(Clone, Debug)]
pub struct Recorder<S> {
    inner: S,
}

impl<S> Recorder<S> {
    pub(super) fn new(inner: S) -> Self {
        Self { inner }
    }
}

type BoxError = Box<dyn Error + Send + Sync>;

/// A call without a response. A type of its own, since the compiler cannot prove futures that hold a bare
/// `Box<dyn Error>` to be `Send` in generic code.
#[derive(Debug)]
pub struct CallError(BoxError);

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for CallError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

impl<S, A, B> Service<Request<A>> for Recorder<S>
where
    S: Service<Request<A>, Response = Response<B>, Error: Into<BoxError>>,
{
    type Response = Response<RecordedBody<B>>;
    type Error = CallError;
    type Future = Recording<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        self.inner
            .poll_ready(context)
            .map_err(|error| CallError(error.into()))
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        // A call without a record gets one that is dropped with it.
        let record = request
            .extensions()
            .get::<Record>()
            .cloned()
            .unwrap_or_default();
        Recording {
            call: self.inner.call(request),
            record,
        }
    }
}

pin_project! {
    /// A call whose response is being recorded.
    #[derive(Debug)]
    pub struct Recording<F> {
        #[pin]
        call: F,
        record: Record,
    }
}

impl<F, B, E> Future for Recording<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    E: Into<BoxError>,
{
    type Output = Result<Response<RecordedBody<B>>, CallError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        Poll::Ready(match ready!(this.call.poll(context)) {
            Ok(response) => {
                this.record
                    .record_head(response.status().as_u16(), response.headers());
                let record = this.record.clone();
                Ok(response.map(|body| RecordedBody::new(body, record)))
            }
            Err(error) => {
                let error = error.into();
                this.record.record_error(&*error);
                Err(CallError(error))
            }
        })
    }
}
