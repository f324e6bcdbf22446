//! The memory of a process: read when it is ready, watched during a job, and told after one.

use std::{future::pending, time::Duration};

use bytesize::ByteSize;
use rustix::process::Pid;
use tokio::{task::spawn_blocking, time::sleep};
use tracing::Level;

use super::{failure::Failure, memory};
use crate::{error::ProcessError, metrics};

/// How often it is read during a job.
const INTERVAL: Duration = Duration::from_millis(250);

/// What a process and its children may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct MemoryLimit(pub(super) Option<u64>);

// === impl MemoryLimit ===

impl MemoryLimit {
    /// Waits until the process has half as much again as it may have after a job, and returns how much that is.
    pub(super) async fn exceeded(self, process: Pid) -> u64 {
        let Some(limit) = self.0 else { return pending().await };
        let most = limit.saturating_add(limit / 2);
        loop {
            sleep(INTERVAL).await;
            match read(process).await {
                Some(size) if size > most => return size,
                _ => {}
            }
        }
    }

    /// Fails when a process has too much before its first job.
    pub(super) async fn check_ready(self, process: Pid) -> Result<(), Failure> {
        if self.0.is_none() && !metrics::wants_memory(process) {
            return Ok(());
        }
        match (self.0, read(process).await) {
            (Some(limit), Some(size)) if size > limit => {
                let (size, limit) = (ByteSize(size), ByteSize(limit));
                Err(Failure::fixed(format!(
                    "it has {size} before its first object; BRIGADE_MAX_MEMORY (--max-memory) is {limit}; fix: raise it"
                )))
            }
            _ => Ok(()),
        }
    }

    /// Tells how much it has after a job. Returns whether that is too much.
    pub(super) async fn check(self, process: Pid, before: &mut Option<u64>) -> bool {
        let is_wanted = tracing::enabled!(Level::DEBUG) || metrics::wants_memory(process);
        if self.0.is_none() && !is_wanted {
            return false;
        }
        let now = read(process).await;
        let shown = |size: Option<u64>| size.map(|size| ByteSize(size).to_string());
        let (pid, was, is) = (process.as_raw_nonzero(), shown(*before), shown(now));
        tracing::debug!(pid, before = was, after = is, "memory of a process of the program");
        *before = now;
        self.0.zip(now).is_some_and(|(limit, now)| now > limit)
    }

    /// Why a job has no answer whose process was ended because it had so much.
    pub(super) fn refusal(self, size: u64) -> ProcessError {
        let (size, limit) = (ByteSize(size), ByteSize(self.0.unwrap_or_default()));
        let why = format!(
            "the program had {size} of memory while it processed this object; a process may have {limit}, and half as much again during one object; fix: raise BRIGADE_MAX_MEMORY (--max-memory), or split the file"
        );
        ProcessError::refuse(why).with_kind("max-memory")
    }
}

/// It reads many small files.
async fn read(process: Pid) -> Option<u64> {
    let size = spawn_blocking(move || memory::resident(process)).await.ok().flatten();
    metrics::has_memory(process, size);
    size
}
