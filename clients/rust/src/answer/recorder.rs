//! The service that records what arrives for each call that carries a [`Record`].

use std::{
    error::Error,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower::Service;

use super::record::Record;

type BoxError = Box<dyn Error + Send + Sync>;

/// Records the responses of the inner service, and gives its requests the current trace context. It goes under the generated
/// client.
#[derive(Clone, Debug)]
pub struct Recorder<S> {
    inner: S,
}

/// A call without a response. A type of its own, since the compiler cannot prove futures that hold a bare
/// `Box<dyn Error>` to be `Send` in generic code.
#[derive(Debug)]
pub struct CallError(BoxError);

pin_project! {
    /// Passes frames on, and records the trailers or the error that ends them.
    #[derive(Debug)]
    pub struct RecordedBody<B> {
        #[pin]
        inner: B,
        record: Record,
    }
}

// === impl Recorder ===

impl<S> Recorder<S> {
    /// Records the responses of `inner`.
    pub fn new(inner: S) -> Self {
        Self { inner }
    }
}

impl<S, A, B> Service<Request<A>> for Recorder<S>
where
    S: Service<Request<A>, Response = Response<B>, Error: Into<BoxError>>,
    S::Future: Send + 'static,
{
    type Response = Response<RecordedBody<B>>;
    type Error = CallError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, CallError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        let ready = self.inner.poll_ready(context);
        ready.map_err(|error| CallError(error.into()))
    }

    fn call(&mut self, mut request: Request<A>) -> Self::Future {
        brigade_telemetry::inject(request.headers_mut());
        // A call without a record gets one that is dropped with it.
        let record = request.extensions().get::<Record>();
        let record = record.cloned().unwrap_or_default();
        let call = self.inner.call(request);
        Box::pin(async move {
            match call.await {
                Ok(response) => {
                    record.record_head(response.status().as_u16(), response.headers());
                    Ok(response.map(|inner| RecordedBody { inner, record }))
                }
                Err(error) => {
                    let error = error.into();
                    record.record_error(&*error);
                    Err(CallError(error))
                }
            }
        })
    }
}

// === impl CallError ===

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

// === impl RecordedBody ===

impl<B> Body for RecordedBody<B>
where
    B: Body<Error: Into<BoxError>>,
{
    type Data = B::Data;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.project();
        let frame = ready!(this.inner.poll_frame(context)).map(|frame| frame.map_err(Into::into));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(trailers) = frame.trailers_ref() {
                    this.record.record_status(trailers);
                }
            }
            Some(Err(error)) => this.record.record_error(&**error),
            None => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
