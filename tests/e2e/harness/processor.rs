//! A processor that is a closure.

use std::{future::Future, pin::Pin};

use brigade_worker::{Job, Outcome, ProcessError, Processor};

type Answer<'a> = Pin<Box<dyn Future<Output = Result<Outcome, ProcessError>> + Send + 'a>>;

/// Does what its closure says.
pub(crate) struct Scripted(Box<dyn Fn(Job) -> Answer<'static> + Send + Sync>);

/// A processor of this closure.
pub(crate) fn scripted<F, A>(script: F) -> Scripted
where
    F: Fn(Job) -> A + Send + Sync + 'static,
    A: Future<Output = Result<Outcome, ProcessError>> + Send + 'static,
{
    Scripted(Box::new(move |job| Box::pin(script(job))))
}

impl Processor for Scripted {
    type Error = ProcessError;

    async fn process(&self, job: &Job) -> Result<Outcome, ProcessError> {
        (self.0)(job.clone()).await
    }
}
