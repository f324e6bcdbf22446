//! A processor that is a closure.

use std::{future::Future, pin::Pin, sync::Arc};

use brigade_worker::{Job, Outcome, ProcessError, Processor};
use tokio::sync::Semaphore;

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

/// A processor that keeps each object inside until it may leave, and returns its content; who came in, and who may leave.
pub(crate) fn held() -> (Scripted, Arc<Semaphore>, Arc<Semaphore>) {
    let (entered, leave) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (inside, gate) = (entered.clone(), leave.clone());
    let processor = scripted(move |job| {
        let (inside, gate) = (inside.clone(), gate.clone());
        Box::pin(async move {
            let content = job.bytes(1024).await?;
            inside.add_permits(1);
            gate.acquire().await.unwrap().forget();
            Ok(Outcome::summary(String::from_utf8_lossy(&content)))
        })
    });
    (processor, entered, leave)
}

impl Processor for Scripted {
    type Error = ProcessError;

    async fn process(&self, job: &Job) -> Result<Outcome, ProcessError> {
        (self.0)(job).await
    }
}
