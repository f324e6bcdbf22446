//! A program and everything that it starts: one process group, which ends as a whole.

use std::{
    fmt, io, mem,
    process::Command,
    sync::{Mutex, MutexGuard, Once, PoisonError},
    time::Duration,
};

use brigade_runtime::shutdown;

use rustix::{
    io::{Errno, retry_on_intr},
    process::{
        Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, WaitOptions, kill_process_group, waitid,
        waitpgid,
    },
};
use tokio::{
    net::unix::pipe,
    signal::unix::{Signal as SignalStream, SignalKind, signal},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::signals;

/// How long processes may take to end after SIGKILL. Only the kernel can delay them.
const REAP_TIMEOUT: Duration = Duration::from_secs(1);

/// The running groups, for an exit of this process that leaves no time to end them one by one.
static RUNNING: Mutex<Vec<Pid>> = Mutex::new(Vec::new());
/// Registers the handler for such an exit.
static KILL_AT_EXIT: Once = Once::new();

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// By itself, with this exit status.
    Exited(i32),
    /// By this signal.
    Killed(i32),
}

/// A program's output streams.
#[derive(Debug)]
pub(super) struct Pipes {
    pub(super) stdout: pipe::Receiver,
    pub(super) stderr: pipe::Receiver,
}

/// A running program, the leader of its own process group.
///
/// The leader's end is observed without reaping it. So the group's number stays reserved, and a signal to it reaches no other
/// process, until [`end`](Self::end) reaps.
#[derive(Debug)]
pub(super) struct Group {
    id: Pid,
    children: SignalStream,
    ended: bool,
}

// === impl End ===

impl End {
    /// In a few letters, for an object's metadata.
    pub(super) fn label(self) -> String {
        match self {
            Self::Exited(code) => format!("exit status {code}"),
            Self::Killed(signal) => format!("signal {signal}"),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "ended with exit status {code}"),
            Self::Killed(signal) => write!(f, "was killed by {}", signals::name(*signal)),
        }
    }
}

// === impl Group ===

impl Group {
    /// Starts a command that is set up for its own group and for pipes.
    pub(super) fn start(command: &mut Command) -> io::Result<(Self, Pipes)> {
        // Before the start, so that no end is missed.
        let children = signal(SignalKind::child())?;
        KILL_AT_EXIT.call_once(|| shutdown::on_forced_exit(kill_all));
        // Locked until the group is registered, so that an exit misses none.
        let mut running = running();
        let mut child = command.spawn()?;
        let group = Self { id: Pid::from_child(&child), children, ended: false };
        running.push(group.id);
        drop(running);
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(io::Error::other("the program has no pipes"));
        };
        let pipes = Pipes {
            stdout: pipe::Receiver::from_owned_fd(stdout.into())?,
            stderr: pipe::Receiver::from_owned_fd(stderr.into())?,
        };
        Ok((group, pipes))
    }

    /// Waits for the leader to end. Once `stop` is cancelled, the group gets SIGTERM, and SIGKILL after `grace`.
    pub(super) async fn wait(
        &mut self,
        stop: &CancellationToken,
        grace: Duration,
    ) -> io::Result<End> {
        tokio::select! {
            end = self.leader() => return end,
            () = stop.cancelled() => {}
        }
        self.signal(Signal::TERM);
        if let Ok(end) = timeout(grace, self.leader()).await {
            return end;
        }
        self.signal(Signal::KILL);
        self.leader().await
    }

    /// The number of the group, which is that of its leader.
    pub(super) fn id(&self) -> Pid {
        self.id
    }

    /// Waits for the leader to end.
    pub(super) async fn leader(&mut self) -> io::Result<End> {
        loop {
            match self.try_leader()? {
                Some(end) => return Ok(end),
                None => self.child_changed().await,
            }
        }
    }

    /// How the leader ended, if it has.
    pub(super) fn try_leader(&self) -> io::Result<Option<End>> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let status = retry_on_intr(|| waitid(WaitId::Pid(self.id), options))?;
        Ok(status.as_ref().map(end_of))
    }

    async fn child_changed(&mut self) {
        // The stream ends only with the runtime.
        let _ = self.children.recv().await;
    }

    /// Kills the rest of the group, and reaps our children in it: the leader, and every orphan of the group too when this
    /// process is the init of its container.
    pub(super) async fn end(mut self) {
        self.signal(Signal::KILL);
        self.unregister();
        let reaped = timeout(REAP_TIMEOUT, async {
            while self.reap() {
                self.child_changed().await;
            }
        });
        // On a timeout the drop tries a last time.
        self.ended = reaped.await.is_ok();
    }

    /// Reaps what has ended by now. Returns whether more processes remain.
    fn reap(&self) -> bool {
        loop {
            match waitpgid(self.id, WaitOptions::NOHANG) {
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    }

    /// Must precede the reaping: afterwards the number may belong to another process.
    fn unregister(&self) {
        running().retain(|id| *id != self.id);
    }

    /// A group that is already gone needs no signal.
    pub(super) fn signal(&self, signal: Signal) {
        let _ = kill_process_group(self.id, signal);
    }
}

impl Drop for Group {
    /// Only a runtime that shuts down drops a group before its end.
    fn drop(&mut self) {
        if !self.ended {
            self.signal(Signal::KILL);
            self.unregister();
            self.reap();
        }
    }
}

fn running() -> MutexGuard<'static, Vec<Pid>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The last step of this process: the lock stays held, so that no group is started any more.
fn kill_all() {
    let running = running();
    for id in running.iter() {
        // A group that is already gone needs no signal.
        let _ = kill_process_group(*id, Signal::KILL);
    }
    mem::forget(running);
}

fn end_of(status: &WaitIdStatus) -> End {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => End::Exited(code),
        (None, signal) => End::Killed(signal.unwrap_or_default()),
    }
}
