//! The exec worker: runs a program once for each object.
//!
//! Exit 0 accepts the object, 75 (`EX_TEMPFAIL`, sysexits) asks for another try, and everything else refuses it, with
//! the last lines of stderr as the reason. No shell runs, so an object's name never becomes a command.

mod environment;
mod group;
mod outputs;
mod program;
mod run;
mod tail;

use std::{io, time::Duration};

use tempfile::TempDir;

use crate::{
    error::ProcessError,
    job::Job,
    processor::{Outcome, Processor},
};

pub use program::{InvalidProgram, Program};

/// Runs one program for each object.
#[derive(Clone, Debug)]
pub struct ExecProcessor {
    program: Program,
}

impl ExecProcessor {
    /// Runs `program`.
    pub fn new(program: Program) -> Self {
        Self { program }
    }
}

impl Processor for ExecProcessor {
    type Error = ProcessError;

    async fn process(&self, job: &Job) -> Result<Outcome, ProcessError> {
        // Private to this user (0700), and gone with everything in it when the work ends, however it ends.
        let room = TempDir::with_prefix("brigade-").map_err(|error| no_room(&error))?;
        let output_dir = room.path().join("output");
        std::fs::create_dir(&output_dir).map_err(|error| no_room(&error))?;
        let file = room.path().join(program::file_name(job.file_name()));
        job.download(&file).await?;
        let command = self
            .program
            .command(&file, &environment::of(job, &output_dir));
        let summary = run::run(command).await?;
        let outputs = outputs::upload(job, &output_dir).await?;
        Ok(Outcome {
            summary,
            outputs,
            ..Outcome::default()
        })
    }
}

/// A full disk is no fault of the object.
fn no_room(error: &io::Error) -> ProcessError {
    ProcessError::retry_after(
        Duration::from_secs(30),
        format!("the worker has no room for temporary files: {error}"),
    )
}

#[cfg(test)]
mod tests;
