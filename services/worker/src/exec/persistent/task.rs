//! A job that waits for a process or is at one.

use std::sync::Arc;

use brigade_telemetry::{Context, remote};
use tokio::{
    sync::{oneshot, watch},
    time::Instant,
};

use super::{
    super::{answer::Answer, capture::Capture, group::End, work_dir::WorkDir},
    wire,
};
use crate::{error::ProcessError, job::Deadline};

/// How often a job is given to another process because the first one failed for another reason.
const MAX_MOVES: u32 = 3;

/// A job, and who waits for it.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) key: String,
    pub(super) job: wire::Job,
    pub(super) deadline: Arc<Deadline>,
    /// Until when it may wait for a process: one that has it gets most of its time.
    pub(super) patience: Instant,
    /// Kept until no process uses it any more.
    pub(super) work_dir: WorkDir,
    pub(super) reply: oneshot::Sender<Reply>,
    pub(super) status: Arc<watch::Sender<Status>>,
    pub(super) moves: u32,
}

/// What became of a job, and its directory.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) result: Result<Answer, Loss>,
    pub(super) work_dir: WorkDir,
}

/// How far a job is.
#[derive(Debug, Default)]
pub(super) struct Status {
    pub(super) progress: String,
    /// What the process writes to stderr about it.
    pub(super) stderr: Option<Capture>,
}

/// Why a job has no answer.
#[derive(Debug)]
pub(super) enum Loss {
    /// Its process ended in this manner; for SIGKILL, what is known of the memory.
    Ended(End, &'static str),
    /// Its process did what the protocol does not allow.
    Fault(String),
    /// It was not processed, or it is unknown how its process ended.
    Error(ProcessError),
}

// === impl Task ===

impl Task {
    /// Its line, with the time that is left now.
    pub(super) fn line(&self) -> serde_json::Result<Vec<u8>> {
        let deadline = *self.deadline.borrow();
        self.job.line(deadline.saturating_duration_since(Instant::now()))
    }

    /// The context of its span.
    pub(super) fn trace(&self) -> Option<Context> {
        remote(self.job.traceparent.as_deref()?)
    }

    /// Waits until no caller waits any more.
    pub(super) async fn cancelled(&mut self) {
        self.reply.closed().await;
    }

    pub(super) fn has_waited_enough(&self) -> bool {
        Instant::now() > self.patience
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.reply.is_closed()
    }

    pub(super) fn follow(&self, stderr: Capture) {
        self.status.send_modify(|status| status.stderr = Some(stderr));
    }

    pub(super) fn progress(&self, progress: &str) {
        self.status.send_modify(|status| progress.clone_into(&mut status.progress));
    }

    /// Notes that another process gets it; returns whether that is still allowed.
    pub(super) fn moves(&mut self) -> bool {
        self.moves += 1;
        self.moves <= MAX_MOVES
    }

    /// Tells the caller, if it still waits; otherwise the directory is removed.
    pub(super) fn reply(self, result: Result<Answer, Loss>) {
        let _ = self.reply.send(Reply { result, work_dir: self.work_dir });
    }
}

// === impl Status ===

impl Status {
    /// What the process wrote to stderr about the job.
    pub(super) fn stderr(&self) -> String {
        self.stderr.as_ref().map(Capture::lines).unwrap_or_default()
    }
}
