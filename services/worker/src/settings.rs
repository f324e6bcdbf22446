//! The worker's settings: as given on the command line or in the environment, and as resolved.

use std::time::Duration;

use brigade_runtime::settings::{
    CONCURRENCY_RANGE, Given, Problems, TIME_RANGE, Unfit, count, form, from_flags, names,
    optional, setting, time, within,
};
use brigade_storage::Location;
use bytesize::ByteSize;

use crate::exec::Program;

/// The largest object that Cloud Storage keeps, 5 TiB.
const MAX_SIZE: u64 = 5 << 40;

/// The settings as given.
#[derive(Clone, Debug, clap::Args)]
pub struct WorkerArgs {
    /// A program to run once per object; {} is the path of the object's copy [default: the sample processor]
    #[arg(long, env = names::EXEC, value_name = "CMD", default_value = "", hide_default_value = true,
        value_parser = optional(form("a program and its arguments", str::parse::<Program>)))]
    pub(crate) exec: Given<Option<Program>>,
    /// Where outputs go: the gs:// URI of a prefix [default: none are kept]
    #[arg(long, env = names::OUTPUT, value_name = "URI", default_value = "", hide_default_value = true,
        value_parser = optional(form("gs://BUCKET/PREFIX/", str::parse::<Location>)))]
    output: Given<Option<Location>>,
    /// Objects in process at once, 1 to 10,000; the worker asks the callers of more to try again. By default as many as
    /// a poller has in flight
    #[arg(long, env = names::CONCURRENCY, value_name = "N", default_value = "32",
        value_parser = setting(count(CONCURRENCY_RANGE)))]
    concurrency: Given<usize>,
    /// How long one object may take, 1 s to 7 days, unless its caller waits for less. By default the longest that Cloud
    /// Run lets a request last
    #[arg(long, visible_alias = "timeout", env = "BRIGADE_PROCESS_TIMEOUT", value_name = "TIME", default_value = "1h",
        value_parser = setting(time(TIME_RANGE)))]
    process_timeout: Given<Duration>,
    /// The largest object that is taken, such as 500MB or 2GiB, up to 5 TiB; a larger one goes to failed/ unread
    /// [default: any]
    #[arg(long, env = "BRIGADE_MAX_SIZE", value_name = "SIZE", default_value = "", hide_default_value = true, value_parser = optional(size))]
    max_size: Given<Option<u64>>,
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
        let exec = self.exec.get(problems);
        let output = self.output.get(problems);
        let concurrency = self.concurrency.get(problems);
        let timeout = self.process_timeout.get(problems);
        let max_size = self.max_size.get(problems);
        Some(WorkerSettings {
            exec: exec?,
            output: output?,
            concurrency: concurrency?,
            timeout: timeout?,
            max_size: max_size?,
        })
    }
}

/// A size in bytes. A worker that takes nothing would refuse everything.
fn size(given: &str) -> Result<u64, Unfit> {
    let size = given.parse::<ByteSize>();
    let size = size.map_err(|why| Unfit::new("a size such as 500MB or 2GiB", why))?;
    within(&(1..=MAX_SIZE), size.as_u64(), |size| ByteSize(*size).to_string())
}

// === impl WorkerSettings ===

impl Default for WorkerSettings {
    /// The defaults of the arguments, whatever the environment has.
    fn default() -> Self {
        let args: WorkerArgs = from_flags(&[]).expect("no argument is required");
        args.resolve(&mut Problems::default()).expect("every default is a value")
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    #[command(no_binary_name = true)]
    struct Cli {
        #[command(flatten)]
        worker: WorkerArgs,
    }

    fn resolve(flags: &[&str]) -> Result<WorkerSettings, Problems> {
        let mut problems = Problems::default();
        let cli = Cli::try_parse_from(flags).unwrap();
        let settings = cli.worker.resolve(&mut problems);
        problems.into_settings(settings)
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
            ("--concurrency", &["1", "1000", "10000"], &["0", "-1", "1.5", "10001"]),
            (
                "--process-timeout",
                &["1s", "1h", "7days"],
                &["0", "0s", "1ms", "-1s", "8days", "10"],
            ),
            ("--max-size", &["1B", "2GiB"], &["0", "0GiB", "-1", "6TiB", "2 elephants"]),
            ("--exec", &["true {}"], &["no-such-program-anywhere {}", "'"]),
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
        let all = ["--output", "features/", "--concurrency", "0", "--max-size", "0"];
        writeln!(table, "{}", resolve(&all).unwrap_err()).unwrap();
        insta::assert_snapshot!(table);
    }
}
