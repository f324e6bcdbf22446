//! Runs a command to its end, and keeps what it says.

use std::{fmt::Display, io, pin::pin, process::Command, time::Duration};

use futures::future::{FusedFuture as _, FutureExt as _, join};
use rustix::io::Errno;
use tokio::{task::spawn_blocking, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{
    TRY_AGAIN,
    group::{End, Group, Pipes},
    tail::{Head, Tail},
};
use crate::error::{ProcessError, is_exhausted};

/// What has left the program's group may hold its pipes open; that is not waited for any longer.
const PIPES: Duration = Duration::from_secs(1);

/// How long a program's group has between SIGTERM and SIGKILL.
pub(super) const GRACE: Duration = Duration::from_secs(2);

/// A run that is over.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) end: End,
    /// The first line of stdout.
    pub(super) said: String,
    /// The last lines of stderr.
    pub(super) complained: String,
}

/// Runs a command until it ends, or until `stop` is cancelled and its group is brought to its end. When this answers,
/// nothing of the group runs any more. It is to run as a task of its own, so that nobody who lets go of it cuts that short.
///
/// The end of stderr is kept in `tail`. `hold` is given back then, and not before: the files that the program works on,
/// for one.
///
/// To start a program is to wait until the kernel has read its file, wherever that lies; no thread that serves does so.
pub(super) async fn run<H: Send + 'static>(
    mut command: Command,
    stop: CancellationToken,
    tail: Tail,
    hold: H,
) -> Result<(Run, H), ProcessError> {
    let cancelled = stop.clone();
    let started = spawn_blocking(move || {
        if cancelled.is_cancelled() {
            return Err(ProcessError::busy("nobody waits for the program any more"));
        }
        match Group::start(&mut command) {
            // At the end of the runtime they are dropped in this order.
            Ok((group, pipes)) => Ok((group, pipes, hold)),
            Err(error) => Err(cannot_start(&command, error)),
        }
    });
    let started = started.await.map_err(|error| lost(&error));
    let (group, pipes, hold) = started.flatten()?;
    let run = watch(group, pipes, &stop, tail).await;
    Ok((run.map_err(|error| lost(&error))?, hold))
}

/// Nobody knows how it ended, so nobody can say that the object is to blame.
pub(super) fn lost(why: &dyn Display) -> ProcessError {
    ProcessError::retry_after(TRY_AGAIN, format!("the program was lost: {why}"))
}

async fn watch(
    mut group: Group,
    pipes: Pipes,
    stop: &CancellationToken,
    tail: Tail,
) -> io::Result<Run> {
    let mut head = Head::default();
    let end = {
        let mut reading = pin!(join(head.drain(pipes.stdout), tail.drain(pipes.stderr)).fuse());
        let end = {
            let mut end = pin!(group.wait(stop, GRACE));
            tokio::select! {
                end = &mut end => end,
                _ = &mut reading => end.await,
            }
        };
        group.end().await;
        if !reading.is_terminated() {
            // Whatever came until then is kept.
            let _ = timeout(PIPES, reading).await;
        }
        end?
    };
    Ok(Run {
        end,
        said: head.line(),
        complained: tail.lines(),
    })
}

/// No object is to blame for a program that does not start, unless its own names are what is too long.
pub(super) fn cannot_start(command: &Command, error: io::Error) -> ProcessError {
    let program = command.get_program().display();
    let message = format!("cannot start {program}: {error}");
    let new = if is_exhausted(&error) {
        ProcessError::busy_for(TRY_AGAIN, message)
    } else if Errno::from_io_error(&error) == Some(Errno::TOOBIG) {
        ProcessError::internal(message)
    } else {
        let hint = "put the program back, or, if it is a script, begin it with #! and what runs it";
        ProcessError::misconfigured(format!("{message}; {hint}"))
    };
    new.with_source(error)
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use futures::poll;

    use super::*;
    use crate::{error::ErrorKind, fixtures::busy};

    #[test]
    fn a_program_is_started_by_a_thread_that_serves_nobody() {
        let (runtime, go) = busy();
        runtime.block_on(async {
            let room = tempfile::tempdir().unwrap();
            let mut command = Command::new("touch");
            command
                .arg(room.path().join("begun"))
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            std::os::unix::process::CommandExt::process_group(&mut command, 0);
            let stop = CancellationToken::new();
            let mut running = pin!(run(command, stop, Tail::default(), ()));
            assert!(poll!(&mut running).is_pending(), "the task went on");
            assert!(!room.path().join("begun").exists());
            go.send(()).unwrap();
            let (run, ()) = running.await.unwrap();
            assert_eq!(run.end, End::Exited(0));
            assert!(room.path().join("begun").exists());
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
