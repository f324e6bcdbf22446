//! The way of one object: dispatch, verdict, settle.

use std::time::Duration;

use brigade_client::answer::Answer;
use brigade_proto::v1::Settlement;
use brigade_storage::{Error, Object};
use tokio::time::Instant;

use crate::{
    dispatch::dispatch,
    error::PollError,
    mark,
    poll::Parts,
    report::Settled,
    settle::Placement,
    verdict::{Verdict, verdict},
};

/// An object at its way's end.
pub(crate) struct Walked {
    pub(crate) object: Object,
    pub(crate) took: Duration,
    /// An error is one that every other object would meet too.
    pub(crate) settled: Result<Settled, PollError>,
}

/// Takes objects from listing to settlement.
pub(crate) struct Way<'a> {
    parts: &'a Parts,
    dry_run: bool,
}

impl<'a> Way<'a> {
    pub(crate) fn new(parts: &'a Parts, dry_run: bool) -> Self {
        Self { parts, dry_run }
    }

    /// The whole way of one object; its call may take `timeout`.
    pub(crate) async fn walk(&self, object: Object, timeout: Duration) -> Walked {
        let began = Instant::now();
        let settled = self.settled(&object, timeout).await;
        Walked {
            object,
            took: began.elapsed(),
            settled,
        }
    }

    async fn settled(&self, object: &Object, timeout: Duration) -> Result<Settled, PollError> {
        if self.dry_run {
            return Ok(Settled::new(Settlement::Planned));
        }
        let settler = &self.parts.settler;
        if let Some(reason) = mark::verdict_fixed(object) {
            let placed = settler.complete(object).await;
            return placement(Settled::new(Settlement::Failed).because(reason), placed);
        }
        let attempt = mark::attempts(object) + 1;
        let answer = dispatch(&*self.parts.worker, object, attempt, timeout).await;
        let code = status_code(&answer);
        let mut settled = match verdict(answer) {
            Verdict::Processed(response) => {
                let mut settled = Settled::new(Settlement::Processed);
                settled.summary = response.summary;
                settled.outputs = response.outputs;
                placement(settled, settler.processed(object).await)?
            }
            Verdict::Failed(reason) => {
                let placed = settler.failed(object, &reason, attempt).await;
                placement(Settled::new(Settlement::Failed).because(&reason), placed)?
            }
            Verdict::Retry(retry) => Settled::new(Settlement::Retry).because(&retry.why),
            Verdict::Stop(stop) => return Err(PollError::Stopped(stop)),
        };
        settled.status_code = code;
        Ok(settled)
    }
}

impl Settled {
    fn new(settlement: Settlement) -> Self {
        Self {
            settlement,
            status_code: None,
            reason: String::new(),
            destination: String::new(),
            summary: String::new(),
            outputs: Vec::new(),
        }
    }

    fn because(mut self, reason: &str) -> Self {
        reason.clone_into(&mut self.reason);
        self
    }

    /// The object that met an error which every other one would meet too.
    pub(crate) fn stopped(error: &PollError) -> Self {
        Self::new(Settlement::Stopped).because(&error.to_string())
    }
}

/// What the verdict became when it met the storage.
fn placement(verdict: Settled, placed: Result<Placement, Error>) -> Result<Settled, PollError> {
    let mut settled = match placed {
        Ok(Placement::Moved(destination)) => {
            return Ok(Settled {
                destination,
                ..verdict
            });
        }
        Ok(Placement::Superseded) => Settled::new(Settlement::Superseded)
            .because("it was replaced, removed or settled by somebody else meanwhile"),
        Ok(Placement::Held(why)) => Settled::new(Settlement::Held).because(&why),
        Err(error) if error.needs_mending() => return Err(error.into()),
        Err(error) => Settled::new(Settlement::Retry).because(&error.to_string()),
    };
    settled.summary = verdict.summary;
    settled.outputs = verdict.outputs;
    Ok(settled)
}

fn status_code(answer: &Answer) -> Option<i32> {
    match answer {
        Answer::Worker(answer) => Some(answer.code.into()),
        Answer::Way(_) | Answer::TimedOut(_) => None,
    }
}
