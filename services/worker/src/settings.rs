//! The worker's settings: as given on the command line or in the environment, and as resolved.

use std::time::Duration;

use brigade_runtime::settings::{
    CONCURRENCY_RANGE, Given, Problems, TIME_RANGE, Unfit, choice, count, form, from_flags, names,
    optional, setting, time, within,
};
use brigade_storage::Location;
use bytesize::ByteSize;

use crate::{
    exec::Program,
    output::{OutputName, Taken},
};

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
    /// Their names.
    #[command(flatten)]
    pub(crate) names: OutputArgs,
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
    /// Whether a program gets an object whose content encoding is gzip unpacked; the limit of --max-size is then one
    /// of the unpacked size too
    #[arg(long, env = "BRIGADE_UNPACK", value_name = "true|false", default_value = "false",
        value_parser = setting(form("true or false", str::parse::<bool>)))]
    unpack: Given<bool>,
}

/// How outputs are named, as given.
#[derive(Clone, Debug, clap::Args)]
pub struct OutputArgs {
    /// The names of outputs below that prefix: text with {path} (the file's name below its inbox), {stem} (the same without
    /// its extension) and {file} (what the program or processor named) [default: {path}/{file}; {stem}.json of the sample]
    #[arg(long, env = names::OUTPUT_NAME, value_name = "TEMPLATE", default_value = "", hide_default_value = true,
        value_parser = optional(form("a template such as {path}/{file}", str::parse::<OutputName>)))]
    output_name: Given<Option<OutputName>>,
    /// What to do when an output's name is taken by another file's output, or by a file that no worker wrote: keep that and
    /// add the generation to the new name, refuse the file, or replace
    #[arg(long, env = "BRIGADE_OUTPUT_TAKEN", value_name = "WHAT", default_value = "keep",
        value_parser = setting(choice::<Taken>))]
    output_taken: Given<Taken>,
}

/// The settings as resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerSettings {
    /// The program of the exec worker, which exists and can be run.
    pub exec: Option<Program>,
    /// Where outputs go.
    pub output: Option<Location>,
    /// How they are named; by default as the processor says.
    pub output_name: Option<OutputName>,
    /// What becomes of an output whose name is taken.
    pub output_taken: Taken,
    /// Objects at work at once.
    pub concurrency: usize,
    /// How long one object may take.
    pub timeout: Duration,
    /// The largest object that is read, in bytes.
    pub max_size: Option<u64>,
    /// Whether programs get gzip objects unpacked.
    pub unpack: bool,
}

// === impl WorkerArgs ===

impl WorkerArgs {
    /// Resolves every setting, and notes every problem; nothing when there was one.
    pub fn resolve(&self, problems: &mut Problems) -> Option<WorkerSettings> {
        let exec = self.exec.get(problems);
        let output = self.output.get(problems);
        let names = self.names.resolve(problems);
        let concurrency = self.concurrency.get(problems);
        let timeout = self.process_timeout.get(problems);
        let max_size = self.max_size.get(problems);
        let unpack = self.unpack.get(problems);
        if unpack == Some(true) && exec == Some(None) {
            let why = "only the files of a program (BRIGADE_EXEC, --exec) are unpacked; unset it";
            problems.conflict("BRIGADE_UNPACK", why);
        }
        let (output_name, output_taken) = names?;
        Some(WorkerSettings {
            exec: exec?,
            output: output?,
            output_name,
            output_taken,
            concurrency: concurrency?,
            timeout: timeout?,
            max_size: max_size?,
            unpack: unpack?,
        })
    }
}

// === impl OutputArgs ===

impl OutputArgs {
    /// Resolves both, and notes every problem; nothing when there was one.
    pub fn resolve(&self, problems: &mut Problems) -> Option<(Option<OutputName>, Taken)> {
        let (name, taken) = (self.output_name.get(problems), self.output_taken.get(problems));
        name.zip(taken)
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
        let cases: [(&str, &[&str], &[&str]); 8] = [
            ("--concurrency", &["1", "1000", "10000"], &["0", "-1", "1.5", "10001"]),
            (
                "--process-timeout",
                &["1s", "1h", "7days"],
                &["0", "0s", "1ms", "-1s", "8days", "10"],
            ),
            ("--max-size", &["1B", "2GiB"], &["0", "0GiB", "-1", "6TiB", "2 elephants"]),
            ("--unpack", &["false"], &["yes", "true"]),
            ("--exec", &["true {}"], &["no-such-program-anywhere {}", "'"]),
            ("--output", &["gs://data/features"], &["features/"]),
            ("--output-name", &["{path}/{file}", "{stem}.json"], &["results.json", "{name}"]),
            ("--output-taken", &["keep", "refuse", "replace"], &["overwrite"]),
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
