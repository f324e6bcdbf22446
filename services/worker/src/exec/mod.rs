//! The exec worker: runs a program once for each object.
//!
//! Exit 0 accepts the object, with the first line of stdout as its summary; 75 (`EX_TEMPFAIL`, sysexits) asks for another
//! try; 126, 127 and 78 (`EX_CONFIG`) mean that the program cannot run, which no object is to blame for; everything else
//! refuses it, with the last lines of stderr as the reason. No shell runs, so an object's name never becomes a command. When the time runs out or the caller goes away, the program and its children get SIGTERM, and
//! SIGKILL 2 seconds later; when the program ends, the rest of its process group is killed too.
//!
//! A program that fails while the worker itself shuts down says nothing about its object, since a supervisor signals both.
//! The object is retried, and no attempt is counted.

mod base_dir;
mod environment;
mod group;
mod outputs;
mod program;
mod removal;
mod run;
mod signals;
mod tail;
mod unpack;
mod work_dir;

use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use self::{group::End, run::Run, tail::Tail, work_dir::WorkDir};
use crate::{
    error::{DEFAULT_RETRY_AFTER, ProcessError},
    job::Job,
    processor::{Outcome, Processor},
};

pub use base_dir::remove_abandoned;
pub use program::{InvalidProgram, Program};

/// `EX_TEMPFAIL` of sysexits(3): try again.
const TEMPFAIL: i32 = 75;

/// `EX_CONFIG` of sysexits(3).
const CONFIG: i32 = 78;
/// What shells and `env` return for a command that they cannot execute (POSIX, Shell Command Language, 2.8.2).
const NOT_EXECUTABLE: i32 = 126;
/// And for one that they do not find.
const NOT_FOUND: i32 = 127;

/// How long a caller is asked to wait: a program cannot say.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// How long after its program the worker may receive the same signal.
const SIGNAL_DELAY: Duration = Duration::from_secs(1);

/// Runs one program for each object.
#[derive(Clone, Debug)]
pub struct ExecProcessor {
    program: Program,
    unpack: bool,
}

// === impl ExecProcessor ===

impl ExecProcessor {
    /// Runs `program`.
    pub fn new(program: Program) -> Self {
        Self { program, unpack: false }
    }

    /// Whether the program gets an object whose content encoding is gzip unpacked.
    #[must_use]
    pub fn unpack(self, unpack: bool) -> Self {
        Self { unpack, ..self }
    }
}

impl Processor for ExecProcessor {
    type Error = ProcessError;

    async fn process(&self, job: &Job) -> Result<Outcome, ProcessError> {
        let work_dir = WorkDir::create(job).await?;
        let unpacks = self.unpack && unpack::is_packed(job);
        let copied = if unpacks {
            unpack::download(job, &work_dir).await
        } else {
            job.download(&work_dir.file).await
        };
        copied.map_err(work_dir::cannot_copy)?;
        let variables = environment::variables(job, &work_dir.output, &work_dir.scratch, unpacks);
        let command = self.program.command(&work_dir.file, &variables);
        // Dropping this future cancels the run, which is its own task and ends after the last process.
        let stop = CancellationToken::new();
        // The reason when the time runs out.
        let stderr = Tail::default();
        let tail = stderr.clone();
        job.report_progress_with(move || Some(tail.lines()).filter(|lines| !lines.is_empty()));
        let _cancels = stop.clone().drop_guard();
        let running = tokio::spawn(run::run(command, stop, stderr, work_dir));
        let over = running.await.map_err(|error| run::lost(&error));
        let (run, work_dir) = over.flatten()?;
        let answer = answer(job, run, &work_dir, self.program.name()).await;
        work_dir.cleanup(job.remaining()).await;
        answer
    }
}

async fn answer(
    job: &Job,
    run: Run,
    work_dir: &WorkDir,
    program: &str,
) -> Result<Outcome, ProcessError> {
    let ending = is_shutting_down(run.end, job.shutdown()).await;
    let summary = interpret(run, ending, program)?;
    let outputs = outputs::upload(job, &work_dir.output).await?;
    Ok(Outcome { outputs, ..Outcome::summary(summary) })
}

/// Whether the worker shuts down as well. A supervisor signals worker and programs in any order, so a program may have ended
/// before the worker receives its signal.
async fn is_shutting_down(end: End, shutdown: &CancellationToken) -> bool {
    let by_request = match end {
        End::Killed(signal) => signals::asks_for_exit(signal),
        // Shells and virtual machines report a signal that ended them, or their child, in this form.
        End::Exited(code) => signals::asks_for_exit(code - 128),
    };
    if by_request {
        // Without a shutdown the signal was for this program alone.
        let _ = timeout(SIGNAL_DELAY, shutdown.cancelled()).await;
    }
    shutdown.is_cancelled()
}

/// What the end of a program means for the object. `ending`: the worker shuts down, and its supervisor may have ended the
/// program too.
fn interpret(run: Run, ending: bool, program: &str) -> Result<String, ProcessError> {
    let Run { end, stdout_summary, stderr_tail } = run;
    let because = |what: String| match stderr_tail.as_str() {
        "" => what,
        why => format!("{what}: {why}"),
    };
    let failed = |why| Err(ProcessError::internal(why));
    let cannot_run = |meaning, fix| {
        let what = because(format!("the program {program} {end} ({meaning})"));
        Err(ProcessError::misconfigured(format!("{what}; fix: {fix}")))
    };
    let meaning = match end {
        End::Exited(0) => Ok(stdout_summary),
        end if ending => {
            let what = format!("this worker is shutting down, and the program {end}");
            Err(ProcessError::busy_for(DEFAULT_RETRY_AFTER, because(what)))
        }
        End::Exited(TEMPFAIL) => {
            let what = format!("the program asked for a retry (exit status {TEMPFAIL})");
            Err(ProcessError::retry_after(RETRY_AFTER, because(what)))
        }
        End::Exited(NOT_EXECUTABLE) => cannot_run(
            "a command was found, but cannot be executed",
            "make it executable (chmod +x), or put its interpreter before it",
        ),
        End::Exited(NOT_FOUND) => cannot_run(
            "a command or an interpreter was not found",
            "install it beside the worker, or correct its name in BRIGADE_EXEC (--exec) or in the script",
        ),
        End::Exited(CONFIG) => cannot_run(
            "EX_CONFIG: the program says that its configuration is wrong",
            "correct the program's configuration",
        ),
        End::Exited(_) if !stderr_tail.is_empty() => failed(stderr_tail),
        End::Exited(_) => failed(format!("the program {end} and wrote nothing to stderr")),
        End::Killed(_) => failed(because(format!("the program {end}"))),
    };
    meaning.map_err(|error| error.with_exit(end.label()))
}

#[cfg(test)]
mod tests;
