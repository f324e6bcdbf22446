//! A response body whose end is recorded.

use std::{
    error::Error,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::record::Record;

pin_project! {
    /// Passes frames on, and records the trailers or the error that ends them.
    #[derive(Debug)]
    pub struct RecordedBody<B> {
        #[pin]
        inner: B,
        record: Record,
    }
}

impl<B> RecordedBody<B> {
    pub(super) fn new(inner: B, record: Record) -> Self {
        Self { inner, record }
    }
}

impl<B> Body for RecordedBody<B>
where
    B: Body<Error: Into<Box<dyn Error + Send + Sync>>>,
{
    type Data = B::Data;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.project();
        Poll::Ready(match ready!(this.inner.poll_frame(context)) {
            Some(Ok(frame)) => {
                if let Some(trailers) = frame.trailers_ref() {
                    this.record.record_status(trailers);
                }
                Some(Ok(frame))
            }
            Some(Err(error)) => {
                let error = error.into();
                this.record.record_error(&*error);
                Some(Err(error))
            }
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
