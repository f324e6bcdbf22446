//! The worker's settings: as given on the command line or in the environment, and as resolved.

use std::time::Duration;

use brigade_runtime::settings::{A_WHILE, AT_ONCE, Problems, names};
use brigade_storage::Location;
use bytesize::ByteSize;

use crate::exec::Program;

/// As many as a poller has on their way at once, so that one poller never meets a busy worker.
const CONCURRENCY: usize = 32;
/// The longest that Cloud Run lets a request last.
const TIMEOUT: Duration = Duration::from_hours(1);
/// The largest object that Cloud Storage keeps, 5 TiB.
const MAX_SIZE: u64 = 5 << 40;

/// The settings as given.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct WorkerArgs {
    /// A program to run once per object; {} is the path of the object's copy [default: the sample processor]
    #[arg(long, env = names::EXEC, value_name = "CMD")]
    pub exec: Option<String>,
    /// Where outputs go: the gs:// URI of a prefix
    #[arg(long, env = names::OUTPUT, value_name = "URI")]
    pub output: Option<String>,
    /// Objects at work at once; more are asked to come again [default: 32]
    #[arg(long, env = names::CONCURRENCY, value_name = "N")]
    pub concurrency: Option<String>,
    /// How long one object may take, unless its caller waits for less [default: 1h]
    #[arg(long, visible_alias = "timeout", env = names::PROCESS_TIMEOUT, value_name = "TIME")]
    pub process_timeout: Option<String>,
    /// The largest object that is taken, such as 500MB or 2GiB; a larger one goes to failed/ unread [default: any]
    #[arg(long, env = names::MAX_SIZE, value_name = "SIZE")]
    pub max_size: Option<String>,
}

/// The settings as resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerSettings {
    /// The program of the exec worker, which exists and can be run.
    pub exec: Option<Program>,
    /// Where outputs go.
    pub output: Option<Location>,
    /// Objects at work at once.
    pub concurrency: usize,
    /// How long one object may take.
    pub timeout: Duration,
    /// The largest object that is read, in bytes.
    pub max_size: Option<u64>,
}

// === impl WorkerArgs ===

impl WorkerArgs {
    /// Resolves every setting, and notes every problem; nothing when there was one.
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
        let concurrency = problems.count(
            names::CONCURRENCY,
            self.concurrency.as_deref(),
            CONCURRENCY,
            AT_ONCE,
        );
        let timeout = problems.duration(
            names::PROCESS_TIMEOUT,
            self.process_timeout.as_deref(),
            TIMEOUT,
            A_WHILE,
        );
        let max_size = self.max_size(problems);
        Some(WorkerSettings {
            exec: exec?,
            output: output?,
            concurrency: concurrency?,
            timeout: timeout?,
            max_size: max_size?,
        })
    }

    /// A worker that takes nothing would refuse everything.
    #[allow(clippy::option_option, reason = "left out and wrong are two things")]
    fn max_size(&self, problems: &mut Problems) -> Option<Option<u64>> {
        let (setting, given) = (names::MAX_SIZE, self.max_size.as_deref());
        let form = "a size such as 500MB or 2GiB";
        let Some(size) = problems.optional(setting, given, form, str::parse::<ByteSize>)? else {
            return Some(None);
        };
        let shown = |size| ByteSize(size).to_string();
        let size = problems.within(setting, given, size.as_u64(), 1..=MAX_SIZE, shown);
        size.map(Some)
    }
}

// === impl WorkerSettings ===

impl Default for WorkerSettings {
    /// No program, no output location, 32 objects of any size at once, an hour each.
    fn default() -> Self {
        Self {
            exec: None,
            output: None,
            concurrency: CONCURRENCY,
            timeout: TIMEOUT,
            max_size: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use brigade_runtime::settings::SettingsError;
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    #[command(no_binary_name = true)]
    struct Cli {
        #[command(flatten)]
        worker: WorkerArgs,
    }

    fn resolve(flags: &[&str]) -> Result<WorkerSettings, SettingsError> {
        let mut problems = Problems::default();
        let cli = Cli::try_parse_from(flags).unwrap();
        let settings = cli.worker.resolve(&mut problems);
        problems.into_result()?;
        Ok(settings.expect("no problem means settings"))
    }

    #[test]
    fn nothing_given_means_the_defaults() {
        let blank = ["--exec", "", "--output=", "--max-size", " "];
        for flags in [&[][..], &blank] {
            assert_eq!(resolve(flags).unwrap(), WorkerSettings::default());
        }
    }

    #[test]
    fn problems_of_the_worker() {
        let cases: [(&str, &[&str], &[&str]); 5] = [
            (
                "--concurrency",
                &["1", "1000", "10000"],
                &["0", "-1", "1.5", "10001"],
            ),
            (
                "--process-timeout",
                &["1s", "1h", "7days"],
                &["0", "0s", "1ms", "-1s", "8days", "10"],
            ),
            (
                "--max-size",
                &["1B", "2GiB"],
                &["0", "0GiB", "-1", "6TiB", "2 elephants"],
            ),
            (
                "--exec",
                &["true {}"],
                &["no-such-program-anywhere {}", "'"],
            ),
            ("--output", &["gs://data/features"], &["features/"]),
        ];
        let mut table = String::new();
        for (flag, good, bad) in cases {
            let given = |value: &str| resolve(&[&format!("{flag}={value}")]);
            for good in good {
                given(good).unwrap();
            }
            for bad in bad {
                writeln!(table, "{}", given(bad).unwrap_err()).unwrap();
            }
        }
        let all = [
            "--output",
            "features/",
            "--concurrency",
            "0",
            "--max-size",
            "0",
        ];
        writeln!(table, "{}", resolve(&all).unwrap_err()).unwrap();
        insta::assert_snapshot!(table);
    }
}
