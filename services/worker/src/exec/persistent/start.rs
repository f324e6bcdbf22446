//! Starts a process, and waits until it is ready.

use std::{
    io,
    os::fd::OwnedFd,
    path::{Path, absolute},
    process::Command,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use command_fds::{CommandFdExt as _, FdMapping};
use tokio::{
    net::unix::pipe,
    task::spawn_blocking,
    time::{Instant, interval_at, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    super::{
        Environment, Program,
        capture::Capture,
        group::{End, Group},
        run::cannot_start,
        work_dir::cannot_create,
    },
    failure::Failure,
    limit::MemoryLimit,
    oom,
    output::Output,
    process::{END_DELAY, Process, ended},
    temp::Temp,
    wire::{self, Lines, Message, Next},
};

/// Where a program finds its pipes.
const JOBS_FD: i32 = 3;
const ANSWERS_FD: i32 = 4;

/// How often a start that takes long is logged.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// What is started, and how.
#[derive(Clone, Debug)]
pub(super) struct Launch {
    pub(super) program: Program,
    pub(super) environment: Environment,
    pub(super) timeout: Duration,
    /// How many run at once.
    pub(super) processes: usize,
    pub(super) limit: MemoryLimit,
    /// When the start that goes on began, and what that process writes to stderr.
    pub(super) last: Arc<Mutex<Option<(Instant, Capture)>>>,
}

// === impl Launch ===

impl Launch {
    /// A process that is ready; or why there is none.
    pub(super) async fn start(&self, closing: &CancellationToken) -> Result<Process, Failure> {
        let launch = self.clone();
        // Starting a program blocks until the kernel has read its file.
        let spawned = spawn_blocking(move || launch.spawn()).await;
        let mut process = spawned.map_err(|error| Failure::fixed(error.to_string())).flatten()?;
        *self.last() = Some((Instant::now(), process.output.stderr()));
        let ready = tokio::select! {
            ready = self.handshake(&mut process) => ready,
            () = closing.cancelled() => Err(Failure::fixed("the worker is shutting down".into())),
        };
        *self.last() = None;
        let ready = match ready {
            Ok(message) => self.limit.check_ready(process.pid()).await.map(|()| message),
            failed => failed,
        };
        match ready {
            Ok(message) => {
                let Message { name, version, .. } = message;
                let pid = process.pid().as_raw_nonzero();
                tracing::info!(pid, name, version, "a process of the program is ready");
                Ok(process)
            }
            Err(failure) => {
                let stderr = process.output.stderr();
                process.end(Duration::ZERO).await;
                // The program, or the worker, has said why.
                Err(if failure.is_silent() {
                    failure.with_stderr(&stderr.lines())
                } else {
                    failure
                })
            }
        }
    }

    /// When the files of the command were changed last.
    pub(super) fn files(&self) -> Vec<Option<SystemTime>> {
        let changed = |file: &Path| file.metadata().and_then(|found| found.modified());
        self.program.files().map(|file| changed(file).ok()).collect()
    }

    fn last(&self) -> MutexGuard<'_, Option<(Instant, Capture)>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of a start that goes on.
    pub(super) fn starting(&self) -> Option<String> {
        let last = self.last();
        let (began, stderr) = last.as_ref()?;
        let seconds = began.elapsed().as_secs();
        let what = format!("the program is still starting, since {seconds} s");
        Some(match stderr.last_line() {
            line if line.is_empty() => what,
            line => format!("{what}: {line}"),
        })
    }

    fn spawn(&self) -> Result<Process, Failure> {
        // Before the start: a change from here on is seen.
        let files = self.files();
        let temp = Temp::create().map_err(|error| cannot_create(&error))?;
        let mut command = self.command();
        // As absolute as the paths of a job.
        let at = absolute(temp.path()).map_err(|error| cannot_create(&error))?;
        command.env("TMPDIR", at);
        let started = start_with_pipes(&mut command, temp, files);
        Ok(started.map_err(|error| cannot_start(&command, error))?)
    }

    fn command(&self) -> Command {
        let mut command = self.program.persistent_command(&self.environment);
        command
            .envs(self.environment.threads(self.processes))
            .env("BRIGADE_JOBS_FD", JOBS_FD.to_string())
            .env("BRIGADE_ANSWERS_FD", ANSWERS_FD.to_string())
            .env("BRIGADE_PROTOCOL", wire::VERSION.to_string());
        command
    }

    async fn handshake(&self, process: &mut Process) -> Result<Message, Failure> {
        let began = Instant::now();
        let mut log = interval_at(began + LOG_INTERVAL, LOG_INTERVAL);
        loop {
            let Process { group, lines, output, .. } = &mut *process;
            let next = tokio::select! {
                biased;
                next = lines.next() => next,
                end = group.leader() => match lines.now() {
                    Some(next @ Next::Message(_)) => next,
                    _ => return Err(not_ready(end)),
                },
                () = sleep_until(began + self.timeout) => {
                    let limit = self.timeout;
                    return Err(Failure::silent(format!(
                        "it was not ready within {limit:?} (BRIGADE_STARTUP_TIMEOUT, --startup-timeout)"
                    )));
                }
                _ = log.tick() => {
                    let (waited, stderr) = (began.elapsed(), output.stderr().last_line());
                    tracing::warn!(?waited, stderr, "a process of the program is still starting");
                    continue;
                }
                () = output.pump() => continue,
            };
            return match next {
                Next::Message(message) => check(*message),
                Next::Invalid(what) => {
                    Err(Failure::silent(format!("its first line on descriptor 4 was {what}")))
                }
                Next::Closed => Err(match process.ends_within(END_DELAY).await {
                    Some(end) => not_ready(end),
                    None => {
                        Failure::silent("it closed descriptor 4 before it was ready".to_owned())
                    }
                }),
            };
        }
    }
}

/// The command's own ends of the pipes are closed by the time that this returns, so that their ends are seen.
fn start_with_pipes(
    command: &mut Command,
    temp: Temp,
    files: Vec<Option<SystemTime>>,
) -> io::Result<Process> {
    let (jobs_reader, jobs) = io::pipe()?;
    let (answers, answers_writer) = io::pipe()?;
    let mapping = |parent_fd: OwnedFd, child_fd| FdMapping { parent_fd, child_fd };
    let mappings =
        vec![mapping(jobs_reader.into(), JOBS_FD), mapping(answers_writer.into(), ANSWERS_FD)];
    command.fd_mappings(mappings).map_err(io::Error::other)?;
    let (group, pipes) = Group::start(command)?;
    oom::prefer_as_victim(group.id());
    let jobs = pipe::Sender::from_owned_fd(jobs.into())?;
    let lines = Lines::new(pipe::Receiver::from_owned_fd(answers.into())?);
    Ok(Process {
        group,
        jobs: Some(jobs),
        lines,
        output: Output::new(pipes),
        answered: String::new(),
        files,
        temp,
    })
}

fn not_ready(end: io::Result<End>) -> Failure {
    Failure::silent(format!("{} before it was ready", ended(end)))
}

fn check(message: Message) -> Result<Message, Failure> {
    let version = wire::VERSION;
    match (message.ready, message.protocol) {
        (Some(true), Some(protocol)) if protocol == version => Ok(message),
        (Some(true), protocol) => {
            let protocol = protocol.map_or_else(|| "none".to_owned(), |given| given.to_string());
            Err(Failure::silent(format!(
                "it speaks version {protocol} of the protocol; this worker speaks {version}"
            )))
        }
        (Some(false), _) if message.reason.is_empty() => {
            Err(Failure::told("it says that it is not ready, without a reason".to_owned()))
        }
        (Some(false), _) => Err(Failure::told(format!("it is not ready: {}", message.reason))),
        (None, _) => {
            let why = "its first line on descriptor 4 does not say \"ready\"";
            Err(Failure::silent(why.to_owned()))
        }
    }
}
