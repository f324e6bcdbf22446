//! The worker's settings: as given, and as resolved.

use std::num::NonZeroUsize;

use brigade_runtime::settings::{Problems, names};

use crate::{exec::Program, output::Output};

/// The settings as given.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct WorkerArgs {
    /// The program to run for each object; {} is its file's path [default: the sleep-study sample]
    #[arg(long, env = names::EXEC, value_name = "CMD")]
    pub exec: Option<String>,
    /// Where outputs go
    #[arg(long, env = names::OUTPUT, value_name = "gs://BUCKET/PREFIX/")]
    pub output: Option<String>,
    /// Objects processed at once; more are asked to come again [default: 32]
    #[arg(long, env = names::CONCURRENCY, value_name = "N")]
    pub concurrency: Option<String>,
}

/// The settings as resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerSettings {
    /// The exec worker's program; the sample processor without one.
    pub exec: Option<Program>,
    /// Where outputs go.
    pub output: Option<Output>,
    /// Objects processed at once.
    pub concurrency: usize,
}

const CONCURRENCY: NonZeroUsize = NonZeroUsize::new(32).expect("32 is not zero");

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            exec: None,
            output: None,
            concurrency: CONCURRENCY.get(),
        }
    }
}

impl WorkerArgs {
    /// Resolves every setting, and notes every problem. A program that is not there is one.
    pub fn resolve(&self, problems: &mut Problems) -> Option<WorkerSettings> {
        let exec = problems.optional(
            names::EXEC,
            self.exec.as_deref(),
            "a program and its arguments",
            str::parse,
        );
        let output = problems.optional(
            names::OUTPUT,
            self.output.as_deref(),
            "gs://BUCKET/PREFIX/",
            str::parse,
        );
        let concurrency =
            problems.count(names::CONCURRENCY, self.concurrency.as_deref(), CONCURRENCY);
        Some(WorkerSettings {
            exec: exec?,
            output: output?,
            concurrency: concurrency?,
        })
    }
}
