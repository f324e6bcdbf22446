//! The exec worker: runs a program once for each object.
//!
//! Exit 0 accepts the object, with the last line of stdout as its summary; 75 (`EX_TEMPFAIL`, sysexits) asks for another
//! try; 126, 127 and 78 (`EX_CONFIG`) mean that the program cannot run, which no object is to blame for; everything else
//! refuses it, with the last line of stderr first in the reason. A program that writes its answer to `ANSWER_FILE` says more. No shell runs, so an object's name never becomes a command. When the time runs out or the caller goes away, the program and its children get SIGTERM, and
//! SIGKILL 2 seconds later; when the program ends, the rest of its process group is killed too.
//!
//! A program that fails while the worker itself shuts down says nothing about its object, since a supervisor signals both.
//! The object is retried, and no attempt is counted.

mod answer;
mod answer_file;
mod base_dir;
mod capture;
mod environment;
mod group;
mod meaning;
mod outputs;
mod persistent;
mod program;
mod removal;
mod run;
mod signals;
mod unpack;
mod work_dir;

use brigade_telemetry::{Span, SpanKind, text};
use tokio_util::sync::CancellationToken;

use self::{
    capture::Captures,
    group::End,
    meaning::{interpret, is_shutting_down},
    run::Run,
    work_dir::WorkDir,
};
use crate::{
    error::ProcessError,
    job::Job,
    processor::{Outcome, Processor},
};

pub use base_dir::remove_abandoned;
pub use environment::Environment;
pub use persistent::PersistentProcessor;
pub use program::{InvalidProgram, Program};

/// Runs one program for each object.
#[derive(Clone, Debug)]
pub struct ExecProcessor {
    program: Program,
    environment: Environment,
    unpack: bool,
}

// === impl ExecProcessor ===

impl ExecProcessor {
    /// Runs `program`.
    pub fn new(program: Program) -> Self {
        Self { program, environment: Environment::default(), unpack: false }
    }

    /// Which of the worker's variables the program gets.
    #[must_use]
    pub fn environment(self, environment: Environment) -> Self {
        Self { environment, ..self }
    }

    /// Whether the program gets an object whose content encoding is gzip unpacked.
    #[must_use]
    pub fn unpack(self, unpack: bool) -> Self {
        Self { unpack, ..self }
    }

    /// Runs the program to its end.
    async fn run(
        &self,
        job: &Job,
        work_dir: WorkDir,
        unpacks: bool,
    ) -> Result<(Run, WorkDir), ProcessError> {
        let variables = environment::variables(job, &work_dir, unpacks);
        let command = self.program.command(&work_dir.file, &self.environment, &variables);
        // Dropping this future cancels the run, which is its own task and ends after the last process.
        let stop = CancellationToken::new();
        // The reason when the time runs out.
        let captures = Captures::new(job.key());
        let stderr = captures.stderr.clone();
        job.report_progress_with(move || Some(stderr.lines()).filter(|lines| !lines.is_empty()));
        let _cancels = stop.clone().drop_guard();
        let running = tokio::spawn(run::run(command, stop, captures, work_dir));
        let over = running.await.map_err(|error| run::lost(&error));
        over.flatten()
    }
}

impl Processor for ExecProcessor {
    type Error = ProcessError;

    async fn process(&self, job: &Job) -> Result<Outcome, ProcessError> {
        let (work_dir, unpacks) = unpack::fetch(job, self.unpack).await?;
        let span = program_span(self.program.name());
        let running = span.around(self.run(job, work_dir, unpacks)).await;
        let (run, work_dir) = running.inspect_err(|error| span.fail(error.message()))?;
        if run.end != End::Exited(0) {
            span.fail(run.end);
        }
        drop(span);
        let answer = answer(job, run, &work_dir, &self.program).await;
        work_dir.cleanup(job.remaining()).await;
        answer
    }
}

/// The span of one program about one object.
fn program_span(name: &str) -> Span {
    Span::start("run program", SpanKind::Internal, || vec![text("process.executable.name", name)])
}

async fn answer(
    job: &Job,
    run: Run,
    work_dir: &WorkDir,
    program: &Program,
) -> Result<Outcome, ProcessError> {
    let ending = is_shutting_down(run.end, job.shutdown()).await;
    let given = answer_file::read(&work_dir.answer, job.key()).await;
    let (answer, ignored): (Option<_>, _) = match given {
        Some(answer) if meaning::counts(&answer, run.end, ending) => (Some(answer), false),
        given => (None, given.is_some()),
    };
    if ignored {
        let (object, end) = (job.key(), run.end);
        tracing::warn!(object, %end, "the answer in ANSWER_FILE does not count: the program did not end well");
    }
    if let (End::Exited(1..), None, false) = (run.end, &answer, ending)
        && let Some(script) = program.missing_script()
    {
        let why = InvalidProgram::Script(script).to_string();
        return Err(ProcessError::misconfigured(why).with_exit(run.end.label()));
    }
    let outcome = interpret(run, answer, ending, program.name())?;
    let outputs = outputs::upload(job, &work_dir.output).await?;
    Ok(Outcome { outputs, ..outcome })
}

#[cfg(test)]
mod tests;
