//! The exec worker: runs a program once for each object.
//!
//! Exit 0 accepts the object, with the first line of stdout as its summary; 75 (`EX_TEMPFAIL`, sysexits) asks for another
//! try; everything else refuses it, with the last lines of stderr as the reason. No shell runs, so an object's name
//! never becomes a command. When the time is out or the caller goes away, the program and all that it started get
//! SIGTERM, and SIGKILL 2 seconds later; what is left of its process group when it ends is killed too.
//!
//! A program that does not end well while the worker itself is told to end says nothing of its object: who ends a control
//! group or a host signals both. The object is asked about again, at no attempt.

mod environment;
mod group;
mod outputs;
mod program;
mod room;
mod run;
mod signals;
mod tail;

use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use self::{group::End, room::Room, run::Run, tail::Tail};
use crate::{
    error::ProcessError,
    job::Job,
    processor::{Outcome, Processor},
};

pub use program::{InvalidProgram, Program};

/// `EX_TEMPFAIL` of sysexits(3): try again.
const TEMPFAIL: i32 = 75;

/// A program that asks for another try cannot say when.
const TRY_AGAIN: Duration = Duration::from_secs(10);

/// How long a program that was ended by a signal may be ahead of the worker's own notice of one.
const NOTICE: Duration = Duration::from_secs(1);

/// Runs one program for each object.
#[derive(Clone, Debug)]
pub struct ExecProcessor {
    program: Program,
}

// === impl ExecProcessor ===

impl ExecProcessor {
    /// Runs `program`.
    pub fn new(program: Program) -> Self {
        Self { program }
    }
}

impl Processor for ExecProcessor {
    type Error = ProcessError;

    async fn process(&self, job: &Job) -> Result<Outcome, ProcessError> {
        let room = Room::of(job).await?;
        job.download(&room.file).await.map_err(room::no_copy)?;
        let variables = environment::of(job, &room.output, &room.scratch);
        let command = self.program.command(&room.file, &variables);
        // Dropping this future cancels; the run is a task of its own, which ends when the last process has.
        let stop = CancellationToken::new();
        // For whoever gives up on the program before it ends.
        let complains = Tail::default();
        let tail = complains.clone();
        job.progress_is(move || Some(tail.lines()).filter(|lines| !lines.is_empty()));
        let _cancels = stop.clone().drop_guard();
        let running = tokio::spawn(run::run(command, stop, complains, room));
        let over = running.await.map_err(|error| run::lost(&error));
        let (run, room) = over.flatten()?;
        let answer = answer(job, run, &room).await;
        room.leave(job.remaining()).await;
        answer
    }
}

async fn answer(job: &Job, run: Run, room: &Room) -> Result<Outcome, ProcessError> {
    let ending = is_ending(run.end, job.shutdown()).await;
    let summary = judge(run, ending)?;
    let outputs = outputs::upload(job, &room.output).await?;
    Ok(Outcome {
        outputs,
        ..Outcome::summary(summary)
    })
}

/// Whether the worker is told to end, too. Who ends a whole control group or host signals worker and programs in any order,
/// and a program may be gone before the worker has noticed.
async fn is_ending(end: End, shutdown: &CancellationToken) -> bool {
    let by_request = match end {
        End::Killed(signal) => signals::asks_to_end(signal),
        // As shells and virtual machines say that a signal ended them, or what they ran.
        End::Exited(code) => signals::asks_to_end(code - 128),
    };
    if by_request {
        // Without a shutdown it has been somebody who meant this program alone.
        let _ = timeout(NOTICE, shutdown.cancelled()).await;
    }
    shutdown.is_cancelled()
}

/// What the end of a program means for the object. `ending`: the worker ends, and may have taken the program with it.
fn judge(run: Run, ending: bool) -> Result<String, ProcessError> {
    let Run {
        end,
        said,
        complained,
    } = run;
    let because = |what: String| match complained.as_str() {
        "" => what,
        why => format!("{what}: {why}"),
    };
    match end {
        End::Exited(0) => Ok(said),
        end if ending => Err(ProcessError::busy(because(format!(
            "this worker is being shut down, and the program {end}"
        )))),
        End::Exited(TEMPFAIL) => Err(ProcessError::retry_after(
            TRY_AGAIN,
            because("the program asks for another try".to_owned()),
        )),
        End::Exited(_) if !complained.is_empty() => Err(ProcessError::internal(complained)),
        End::Exited(_) => Err(ProcessError::internal(format!(
            "the program {end} and wrote nothing to stderr"
        ))),
        End::Killed(_) => Err(ProcessError::internal(because(format!(
            "the program {end}"
        )))),
    }
}

#[cfg(test)]
mod tests;
