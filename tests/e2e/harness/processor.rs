//! A processor that is a closure.

use std::{future::Future, pin::Pin};

use brigade_worker::{Job, Outcome, ProcessError, Processor};

type Answer<'a> = Pin<Box<dyn Future<Output = Result<Outcome, ProcessError>> + Send + 'a>>;
type Script = dyn for<'a> Fn(&'a Job) -> Answer<'a> + Send + Sync;

/// Does what its closure says.
pub(crate) struct Scripted(Box<Script>);

/// A processor of this closure, which returns a boxed future.
pub(crate) fn scripted(
    script: impl for<'a> Fn(&'a Job) -> Answer<'a> + Send + Sync + 'static,
) -> Scripted {
    Scripted(Box::new(script))
}

/// A processor that accepts everything and reads nothing.
pub(crate) fn accepting() -> Scripted {
    scripted(|_| Box::pin(async { Ok(Outcome::default()) }))
}

impl Processor for Scripted {
    type Error = ProcessError;

    async fn process(&self, job: &Job) -> Result<Outcome, ProcessError> {
        (self.0)(job).await
    }
}
