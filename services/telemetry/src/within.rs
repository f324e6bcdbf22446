//! A future with a trace context of its own.

use std::{
    future::Future,
    pin::Pin,
    task::{self, Poll},
};

use opentelemetry::{Context, trace::TraceContextExt as _};
use pin_project_lite::pin_project;

pin_project! {
    /// A future that runs in a context; without one, in whichever is current.
    #[derive(Debug)]
    pub struct Within<F> {
        #[pin]
        future: F,
        context: Option<Context>,
    }
}

/// The future, in this context.
pub fn within<F: Future>(context: Option<Context>, future: F) -> Within<F> {
    Within { future, context }
}

/// The future, in the context that is current now: for a task that is spawned.
pub fn carried<F: Future>(future: F) -> Within<F> {
    Within { future, context: active() }
}

/// The current context, if it has a span.
pub fn active() -> Option<Context> {
    Context::map_current(|context| context.has_active_span().then(|| context.clone()))
}

impl<F: Future> Future for Within<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, waker: &mut task::Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let _current = this.context.clone().map(Context::attach);
        this.future.poll(waker)
    }
}
