//! A child and everything that it started: one process group, which ends as a whole.

use std::{process::ExitStatus, time::Duration};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{process::Child, time::timeout};

/// How long a program may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(2);

/// A running child, the leader of its own group. Dropping it ends the group.
#[derive(Debug)]
pub(super) struct Group {
    child: Option<Child>,
    id: Option<Pid>,
}

impl Group {
    pub(super) fn new(child: Child) -> Self {
        let id = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        Self {
            child: Some(child),
            id,
        }
    }

    /// Waits for the child, then ends whatever it left behind in its group.
    pub(super) async fn wait(&mut self) -> std::io::Result<ExitStatus> {
        let Some(child) = &mut self.child else {
            return Err(std::io::Error::other("the program was waited for before"));
        };
        let status = child.wait().await?;
        self.child = None;
        signal(self.id, Signal::KILL);
        Ok(status)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(child) = self.child.take() {
            let id = self.id;
            tokio::spawn(end(child, id));
        }
    }
}

/// SIGTERM, a grace, SIGKILL; and the child is waited for, so that no zombie stays.
async fn end(mut child: Child, id: Option<Pid>) {
    signal(id, Signal::TERM);
    if timeout(GRACE, child.wait()).await.is_err() {
        signal(id, Signal::KILL);
        // Nothing survives SIGKILL; what the wait could say is of no use any more.
        let _ = child.wait().await;
    }
    signal(id, Signal::KILL);
}

/// A group that is gone already is what was wanted.
fn signal(id: Option<Pid>, signal: Signal) {
    if let Some(id) = id {
        let _ = kill_process_group(id, signal);
    }
}
