//! An answer's body on its way to the caller.

use std::{
    error::Error,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::OwnedSemaphorePermit;

/// Passes frames on as they come. The call counts as in flight until it ends or is dropped.
#[derive(Debug)]
pub(super) struct Passing {
    inner: Incoming,
    cut: Option<Cut>,
    _permit: OwnedSemaphorePermit,
}

/// How far a cut is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cut {
    /// Messages pass.
    Ahead,
    /// They are on their way: an error at once would overtake them.
    Pause,
    /// It breaks off.
    Now,
}

impl Passing {
    pub(super) fn new(inner: Incoming, cut: bool, permit: OwnedSemaphorePermit) -> Self {
        Self { inner, cut: cut.then_some(Cut::Ahead), _permit: permit }
    }

    fn poll_inner(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut self.inner).poll_frame(context)
    }
}

type BoxError = Box<dyn Error + Send + Sync>;

impl Body for Passing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        match this.cut {
            None => this.poll_inner(context).map_err(Into::into),
            Some(Cut::Ahead) => match ready!(this.poll_inner(context)) {
                Some(Ok(frame)) if frame.is_data() => Poll::Ready(Some(Ok(frame))),
                Some(Err(error)) => Poll::Ready(Some(Err(error.into()))),
                Some(Ok(_)) | None => {
                    this.cut = Some(Cut::Pause);
                    context.waker().wake_by_ref();
                    Poll::Pending
                }
            },
            Some(Cut::Pause) => {
                this.cut = Some(Cut::Now);
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Some(Cut::Now) => {
                Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::ConnectionReset).into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.cut.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.cut {
            None => self.inner.size_hint(),
            Some(_) => SizeHint::default(),
        }
    }
}
