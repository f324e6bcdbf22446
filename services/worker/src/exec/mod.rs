//! The exec worker: runs a program once for each object.
//!
//! Exit 0 accepts the object, with the first line of stdout as its summary; 75 (`EX_TEMPFAIL`, sysexits) asks for another
//! try; everything else refuses it, with the last lines of stderr as the reason. No shell runs, so an object's name
//! never becomes a command. When the time is out or the caller goes away, the program and all that it started get
//! SIGTERM, and SIGKILL 2 seconds later; what is left of its process group when it ends is killed too.

mod environment;
mod group;
mod outputs;
mod program;
mod run;
mod signals;
mod tail;

use std::{
    fs::{DirBuilder, Permissions},
    io,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{self, Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use self::{
    group::End,
    run::{Run, start},
    tail::Tail,
};
use crate::{
    error::{ProcessError, is_exhausted},
    job::Job,
    processor::{Outcome, Processor},
};

pub use program::{InvalidProgram, Program};

/// `EX_TEMPFAIL` of sysexits(3): try again.
const TEMPFAIL: i32 = 75;

/// A program that asks for another try cannot say when.
const TRY_AGAIN: Duration = Duration::from_secs(10);

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
        let room = Room::new(job).map_err(no_room)?;
        job.download(&room.file).await?;
        let variables = environment::of(job, &room.output, &room.scratch);
        let command = self.program.command(&room.file, &variables);
        // Dropping this future cancels; the run is a task of its own, which ends when the last process has.
        let stop = CancellationToken::new();
        // For whoever gives up on the program before it ends.
        let complains = Tail::default();
        let tail = complains.clone();
        job.progress_is(move || Some(tail.lines()).filter(|lines| !lines.is_empty()));
        let _cancels = stop.clone().drop_guard();
        let running = tokio::spawn(start(command, stop, complains, (room, job.slot()))?);
        let over = running.await.map_err(io::Error::other).flatten();
        let (run, (room, _slot)) =
            over.map_err(|error| ProcessError::internal(format!("the program was lost: {error}")))?;
        let summary = judge(run)?;
        let outputs = outputs::upload(job, &room.output).await?;
        Ok(Outcome {
            outputs,
            ..Outcome::summary(summary)
        })
    }
}

/// What the end of a program means for the object.
fn judge(run: Run) -> Result<String, ProcessError> {
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
        End::Exited(TEMPFAIL) => Err(ProcessError::retry_after(
            TRY_AGAIN,
            because("the program asks for another try".to_owned()),
        )),
        End::Exited(_) if !complained.is_empty() => Err(ProcessError::internal(complained)),
        End::Exited(code) => Err(ProcessError::internal(format!(
            "the program ended with exit status {code} and wrote nothing to stderr"
        ))),
        End::Killed(signal) => Err(ProcessError::internal(because(format!(
            "the program was killed by {}",
            signals::name(signal)
        )))),
    }
}

/// The private directory of one run, which is gone when this is dropped.
#[derive(Debug)]
struct Room {
    file: PathBuf,
    output: PathBuf,
    scratch: PathBuf,
    _directory: TempDir,
}

// === impl Room ===

impl Room {
    fn new(job: &Job) -> io::Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("brigade-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir()?;
        // Absolute, so that it never looks like an option.
        let root = path::absolute(directory.path())?;
        let input = below(&root, "input")?;
        Ok(Self {
            file: input.join(program::file_name(job.file_name())),
            output: below(&root, "output")?,
            scratch: below(&root, "tmp")?,
            _directory: directory,
        })
    }
}

fn below(root: &Path, name: &str) -> io::Result<PathBuf> {
    let path = root.join(name);
    DirBuilder::new().mode(0o700).create(&path)?;
    Ok(path)
}

/// No place for temporary files is no object's fault.
fn no_room(error: io::Error) -> ProcessError {
    let message = format!("the worker cannot make a temporary directory: {error}");
    let new = if is_exhausted(&error) {
        ProcessError::retry_after(TRY_AGAIN, message)
    } else {
        ProcessError::misconfigured(format!(
            "{message}; let TMPDIR name one that it can write to"
        ))
    };
    new.with_source(error)
}

#[cfg(test)]
mod tests;
