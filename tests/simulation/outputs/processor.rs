//! A processor that does as it is bid.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use brigade_client::answer::Answer;
use brigade_worker::{Job, Outcome, ProcessError, Processor};
use tokio::time::sleep;

use crate::weather::REFUSALS;

/// The message of an error that was planned.
pub(crate) const PLANNED: &str = "planned";

/// What a run does.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// How long it takes; for ever if that is nothing.
    pub(crate) time: Option<Duration>,
    /// What is answered in the end.
    pub(crate) answer: Answer,
    /// What it writes: names and content.
    pub(crate) files: Vec<(String, String)>,
}

/// Runs the plan that was made last.
#[derive(Debug, Default)]
pub(crate) struct Planner(Mutex<Plans>);

#[derive(Debug, Default)]
struct Plans {
    next: Option<Plan>,
    /// What the run answers that began last.
    answer: Option<Answer>,
    /// Runs that have accepted the object.
    accepted: u32,
}

// === impl Planner ===

impl Planner {
    pub(crate) fn set(&self, plan: Plan) {
        self.plans().next = Some(plan);
    }

    /// What the last run answers.
    pub(crate) fn answer(&self) -> Answer {
        self.plans().answer.clone().expect("a run that answers as planned has a plan")
    }

    /// How many runs have accepted the object, but for what the worker does after that.
    pub(crate) fn accepted(&self) -> u32 {
        self.plans().accepted
    }

    fn take(&self) -> Plan {
        let plans = &mut *self.plans();
        let plan = plans.next.take().expect("a call that starts a run has made a plan");
        plans.answer = Some(plan.answer.clone());
        plan
    }

    fn plans(&self) -> MutexGuard<'_, Plans> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one object's runs in one process do.
#[derive(Debug)]
pub(crate) struct Planned(pub(crate) Arc<Planner>);

impl Processor for Planned {
    type Error = ProcessError;

    async fn process(&self, job: &Job) -> Result<Outcome, ProcessError> {
        let plan = self.0.take();
        let steps = u32::try_from(plan.files.len() + 1).unwrap_or(1);
        // One that never ends has written all the same.
        let step = plan.time.unwrap_or(Duration::from_secs(1)) / steps;
        let mut outcome = Outcome::default();
        for (file, content) in plan.files {
            sleep(step).await;
            outcome = outcome.output(job.write(&file, content, "text/plain").await?);
        }
        sleep(step).await;
        if plan.time.is_none() {
            std::future::pending::<()>().await;
        }
        match kind(&plan.answer) {
            Kind::Accepts => {
                self.0.plans().accepted += 1;
                Ok(outcome)
            }
            Kind::Refuses => Err(ProcessError::refuse(PLANNED)),
            Kind::Waits => Err(ProcessError::retry_after(Duration::from_secs(1), PLANNED)),
        }
    }
}

enum Kind {
    Accepts,
    Refuses,
    Waits,
}

fn kind(answer: &Answer) -> Kind {
    match answer {
        Answer::Worker(said) if said.code == tonic::Code::Ok => Kind::Accepts,
        Answer::Worker(said) if REFUSALS.contains(&said.code) => Kind::Refuses,
        _ => Kind::Waits,
    }
}
