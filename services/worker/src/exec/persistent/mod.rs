//! Persistent programs: started once, and given one object after the other, by the protocol of `docs/PROTOCOL.md`.
//!
//! Each process has one owner, a [`slot`], which starts it, gives it the job that has waited longest, and ends it. So a job
//! whose caller goes away ends its process and no other; and one that its process does not survive is known.

mod failure;
mod limit;
mod memory;
mod oom;
mod output;
mod pool;
mod process;
mod slot;
mod start;
mod task;
mod temp;
mod wire;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use brigade_telemetry::traceparent;
use rustix::process::Signal;
use tokio::{
    sync::{oneshot, watch},
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::DropGuard;

use self::{
    limit::MemoryLimit,
    pool::Pool,
    start::Launch,
    task::{Loss, Reply, Status, Task},
};
use super::{
    group::End,
    meaning::{ended_with_worker, is_shutting_down},
    outputs, program_span, unpack,
    work_dir::WorkDir,
};
use crate::{
    error::{DEFAULT_RETRY_AFTER, ProcessError},
    job::Job,
    processor::{Outcome, Processor},
    settings::{ExecSettings, PersistentSettings},
    text,
};

const KILL: i32 = Signal::KILL.as_raw();

/// The share of its time that a job waits for a process. The process has the rest: an attempt counts only against a job whose
/// process had nearly all of it.
const MAX_WAIT: u32 = 10;

/// How long the worker waits for its first process before it takes calls. Longer, they would be refused before the pool sees them.
const MAX_READY_WAIT: Duration = Duration::from_secs(5);

/// Gives each object to one of the processes of a program.
#[derive(Debug)]
pub struct PersistentProcessor {
    pool: Arc<Pool>,
    unpack: bool,
    /// Dropped with this, it ends the processes.
    _closing: DropGuard,
}

// === impl PersistentProcessor ===

impl PersistentProcessor {
    /// Starts the first process of the program; the others follow when it is ready. Must be called within a tokio runtime.
    pub fn start(exec: &ExecSettings, persistent: &PersistentSettings) -> Self {
        let processes = persistent.processes();
        let launch = Launch {
            program: exec.program.clone(),
            environment: exec.environment.clone(),
            timeout: persistent.startup_timeout,
            processes,
            limit: MemoryLimit(persistent.max_memory),
            last: Arc::new(Mutex::new(None)),
        };
        let pool = Arc::new(Pool::new(launch, persistent.recycle_after));
        for index in 0..processes {
            pool.slots.spawn(slot::run(Arc::clone(&pool), index));
        }
        let closing = pool.closing.clone().drop_guard();
        Self { pool, unpack: exec.unpack, _closing: closing }
    }

    /// Gives the job to a process, and waits for its answer.
    async fn run(
        &self,
        job: &Job,
        work_dir: WorkDir,
        unpacked: bool,
        status: &Arc<watch::Sender<Status>>,
    ) -> Result<Reply, ProcessError> {
        let reported = Arc::clone(status);
        job.report_progress_with(move || report(&reported.borrow()));
        let (reply, answer) = oneshot::channel();
        let following = status.subscribe();
        let patience = Instant::now() + job.remaining() / MAX_WAIT;
        let task = Task {
            key: job.key().to_owned(),
            job: message(job, &work_dir, unpacked),
            deadline: job.deadline(),
            patience,
            work_dir,
            reply,
            status: Arc::clone(status),
            moves: 0,
        };
        let id = task.job.id.clone();
        self.pool.submit(task);
        // Dropping this future drops the receiver, which ends the process that has the job.
        self.answer(job, &id, patience, answer, following).await
    }

    /// Waits for the answer of a process that has taken the job; for one to take it, until `patience`.
    async fn answer(
        &self,
        job: &Job,
        id: &str,
        patience: Instant,
        mut answer: oneshot::Receiver<Reply>,
        mut status: watch::Receiver<Status>,
    ) -> Result<Reply, ProcessError> {
        let mut is_waiting = true;
        loop {
            tokio::select! {
                biased;
                reply = &mut answer => return reply.map_err(|_| {
                    let why = "this worker is shutting down";
                    ProcessError::busy_for(DEFAULT_RETRY_AFTER, why)
                }),
                Ok(()) = status.changed() => {
                    let progress = status.borrow_and_update().progress.clone();
                    if !progress.is_empty() {
                        job.progress(progress);
                    }
                }
                () = sleep_until(patience), if is_waiting => {
                    is_waiting = false;
                    if self.pool.withdraw(id).is_some() {
                        return Err(self.pool.not_taken());
                    }
                }
            }
        }
    }
}

impl Processor for PersistentProcessor {
    type Error = ProcessError;

    async fn ready(&self) {
        // Until then its calls are answered as busy.
        let _ = timeout(MAX_READY_WAIT, self.pool.tried.wait()).await;
    }

    async fn close(&self, grace: Duration) {
        self.pool.close(grace).await;
    }

    async fn process(&self, job: &Job) -> Result<Outcome, ProcessError> {
        self.pool.check()?;
        let (work_dir, unpacked) = unpack::fetch(job, self.unpack).await?;
        let status = Arc::new(watch::Sender::default());
        let span = program_span(self.pool.launch.program.name());
        let replied = span.around(self.run(job, work_dir, unpacked, &status)).await;
        let Reply { result, work_dir } = replied.inspect_err(|error| span.fail(error.message()))?;
        if result.is_err() {
            span.fail("the program did not answer");
        }
        drop(span);
        let outcome = match result {
            Ok(answer) => match answer.into_result() {
                Ok(outcome) => outputs::upload(job, &work_dir.output)
                    .await
                    .map(|outputs| Outcome { outputs, ..outcome }),
                refused => refused,
            },
            Err(loss) => {
                let stderr = status.borrow().stderr();
                Err(interpret(loss, job, &stderr).await)
            }
        };
        work_dir.cleanup(job.remaining()).await;
        outcome
    }
}

fn message(job: &Job, work_dir: &WorkDir, unpacked: bool) -> wire::Job {
    let mut object = job.object().clone();
    if unpacked {
        // Of the copy.
        object.content_encoding.clear();
    }
    wire::Job {
        id: format!("{:016x}", fastrand::u64(..)),
        path: wire::path(&work_dir.file),
        output_dir: wire::path(&work_dir.output),
        scratch: wire::path(&work_dir.scratch),
        attempt: job.attempt(),
        traceparent: traceparent(),
        object,
    }
}

/// The reason when the time runs out: how far the program said it is, and what it wrote to stderr.
fn report(status: &Status) -> Option<String> {
    let stderr = status.stderr();
    let parts = [status.progress.as_str(), &stderr].into_iter().filter(|part| !part.is_empty());
    let report = parts.collect::<Vec<_>>().join("; ");
    Some(report).filter(|report| !report.is_empty())
}

/// What the loss of its process means for the object.
async fn interpret(loss: Loss, job: &Job, stderr: &str) -> ProcessError {
    let because = |what: String| text::because(what, stderr);
    match loss {
        Loss::Error(error) => error,
        Loss::Fault(what) => ProcessError::internal(because(format!(
            "the program does not follow the protocol of docs/PROTOCOL.md: {what}"
        ))),
        Loss::Ended(end, memory) => {
            let error = if is_shutting_down(end, job.shutdown()).await {
                ended_with_worker(end, stderr)
            } else {
                let what = match end {
                    End::Killed(KILL) => format!("was killed by SIGKILL{memory}"),
                    end => end.to_string(),
                };
                let what = format!("the program {what} while it processed this object");
                ProcessError::internal(because(what))
            };
            error.with_exit(end.label())
        }
    }
}

#[cfg(test)]
mod tests;
