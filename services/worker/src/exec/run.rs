//! Runs a command to its end, and keeps its output.

use std::{fmt::Display, io, path::Path, pin::pin, process::Command, time::Duration};

use futures::future::{FusedFuture as _, FutureExt as _, join};
use rustix::io::Errno;
use tokio::{task::spawn_blocking, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{
    answer::RETRY_AFTER,
    capture::Captures,
    group::{End, Group, Pipes},
    program::Program,
};
use crate::{
    error::{DEFAULT_RETRY_AFTER, ProcessError, is_exhausted},
    metrics::{self, Kind},
};

/// How long a daemon that has left the program's group, and holds its pipes open, is waited for.
const PIPE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a program's group has between SIGTERM and SIGKILL.
pub(super) const TERM_GRACE: Duration = Duration::from_secs(2);

/// A finished run.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) end: End,
    /// The last line of stdout.
    pub(super) summary: String,
    /// The last line of stderr, and lines before it.
    pub(super) complaint: String,
}

/// Runs a command until it ends, or until `stop` is cancelled and its group has been ended. When this returns, no process of
/// the group runs any more. It must be its own task, so that dropping the caller does not cut that short.
///
/// Its output goes to `captures`. `hold`, such as the files that the program uses, is returned then and not before.
///
/// Starting a program blocks until the kernel has read its file, so a blocking thread does it.
pub(super) async fn run<H: Send + 'static>(
    mut command: Command,
    stop: CancellationToken,
    captures: Captures,
    hold: H,
) -> Result<(Run, H), ProcessError> {
    let cancelled = stop.clone();
    let started = spawn_blocking(move || {
        if cancelled.is_cancelled() {
            let why = "no caller waits for the program any more";
            return Err(ProcessError::busy_for(DEFAULT_RETRY_AFTER, why));
        }
        match Group::start(&mut command) {
            Ok((group, pipes)) => {
                metrics::started(Kind::Exec, false);
                // When the runtime ends, they are dropped in this order.
                Ok((group, pipes, hold))
            }
            Err(error) => Err(cannot_start(&command, error)),
        }
    });
    let started = started.await.map_err(|error| lost(&error));
    let (group, pipes, hold) = started.flatten()?;
    let run = watch(group, pipes, &stop, captures).await;
    Ok((run.map_err(|error| lost(&error))?, hold))
}

/// It is unknown how the program ended, so the object is not to blame.
pub(super) fn lost(why: &dyn Display) -> ProcessError {
    ProcessError::retry_after(RETRY_AFTER, format!("the end of the program is unknown: {why}"))
}

async fn watch(
    mut group: Group,
    pipes: Pipes,
    stop: &CancellationToken,
    captures: Captures,
) -> io::Result<Run> {
    let Captures { stdout, stderr } = captures;
    let end = {
        let mut reading = pin!(join(stdout.drain(pipes.stdout), stderr.drain(pipes.stderr)).fuse());
        let end = {
            let mut end = pin!(group.wait(stop, TERM_GRACE));
            tokio::select! {
                end = &mut end => end,
                _ = &mut reading => end.await,
            }
        };
        group.end().await;
        if !reading.is_terminated() {
            // What arrived until then is kept.
            let _ = timeout(PIPE_TIMEOUT, reading).await;
        }
        stdout.finish();
        stderr.finish();
        end?
    };
    Ok(Run { end, summary: stdout.last_line(), complaint: stderr.lines() })
}

/// No object is to blame for a program that does not start, unless its own name makes the arguments too long.
pub(super) fn cannot_start(command: &Command, error: io::Error) -> ProcessError {
    let program = command.get_program().display();
    let message = format!("cannot start {program}: {error}");
    let new = if is_exhausted(&error) {
        ProcessError::busy_for(RETRY_AFTER, message)
    } else if Errno::from_io_error(&error) == Some(Errno::TOOBIG) {
        ProcessError::internal(message)
    } else {
        let why = start_fix(Path::new(command.get_program()), &error);
        ProcessError::misconfigured(format!("{message}; {why}"))
    };
    new.with_source(error)
}

/// The kernel reports a missing interpreter as it reports a missing program.
fn start_fix(program: &Path, error: &io::Error) -> String {
    if let Some(problem) = Program::problem(program) {
        return problem.to_string();
    }
    let fix = match error.kind() {
        io::ErrorKind::NotFound => "restore the program",
        io::ErrorKind::PermissionDenied => "make it executable (chmod +x)",
        _ => "build it for this machine",
    };
    format!("fix: {fix}")
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use futures::poll;

    use super::*;
    use crate::{error::ErrorKind, tests::fixtures::one_busy_blocking_thread};

    #[test]
    fn a_program_is_started_by_a_thread_that_serves_nobody() {
        let (runtime, go) = one_busy_blocking_thread();
        runtime.block_on(async {
            let directory = tempfile::tempdir().unwrap();
            let mut command = Command::new("touch");
            command
                .arg(directory.path().join("begun"))
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            std::os::unix::process::CommandExt::process_group(&mut command, 0);
            let stop = CancellationToken::new();
            let mut running = pin!(run(command, stop, Captures::new(""), ()));
            assert!(poll!(&mut running).is_pending(), "the task went on");
            assert!(!directory.path().join("begun").exists());
            go.send(()).unwrap();
            let (run, ()) = running.await.unwrap();
            assert_eq!(run.end, End::Exited(0));
            assert!(directory.path().join("begun").exists());
        });
    }

    #[test]
    fn a_machine_with_no_room_for_another_process_blames_no_object() {
        let kind = |errno: Errno| {
            let error = io::Error::from_raw_os_error(errno.raw_os_error());
            cannot_start(&Command::new("score"), error).kind()
        };
        for errno in [Errno::AGAIN, Errno::NOMEM, Errno::MFILE, Errno::TXTBSY] {
            assert_eq!(kind(errno), ErrorKind::Busy, "{errno}");
        }
        assert_eq!(kind(Errno::NOENT), ErrorKind::Misconfigured);
        assert_eq!(kind(Errno::TOOBIG), ErrorKind::Internal);
    }
}
