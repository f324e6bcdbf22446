//! The worker's settings: as given on the command line or in the environment, and as resolved.

mod exec;

use std::time::Duration;

use brigade_runtime::settings::{
    CONCURRENCY_RANGE, Given, Problems, TIME_RANGE, Unfit, choice, count, form, from_flags, names,
    optional, setting, time, within,
};
use brigade_storage::Location;
use bytesize::ByteSize;

pub use self::exec::{ExecArgs, ExecSettings, PersistentSettings};
use crate::output::{OutputName, Taken};

/// The largest object that Cloud Storage keeps, 5 TiB.
const MAX_SIZE: u64 = 5 << 40;

const DEFAULT_CONCURRENCY: usize = 32;

/// The settings as given, but for those of a [program](ExecArgs).
#[derive(Clone, Debug, clap::Args)]
pub struct WorkerArgs {
    /// Where outputs go: the gs:// URI of a prefix [default: none are kept]
    #[arg(long, env = names::OUTPUT, value_name = "URI", default_value = "", hide_default_value = true,
        value_parser = optional(form("gs://BUCKET/PREFIX/", str::parse::<Location>)))]
    output: Given<Option<Location>>,
    /// The rest of what one object may have.
    #[command(flatten)]
    job: JobArgs,
    /// Objects in process at once, 1 to 10,000; the worker asks the callers of more to try again [default: 32, as many as a
    /// poller has in flight; with --persistent twice its processes]
    #[arg(long, env = names::CONCURRENCY, value_name = "N", default_value = "", hide_default_value = true,
        value_parser = optional(count(CONCURRENCY_RANGE)))]
    concurrency: Given<Option<usize>>,
    /// How long one object may take, 1 s to 7 days, unless its caller waits for less. By default the longest that Cloud
    /// Run lets a request last
    #[arg(long, visible_alias = "timeout", env = "BRIGADE_PROCESS_TIMEOUT", value_name = "TIME", default_value = "1h",
        value_parser = setting(time(TIME_RANGE)))]
    process_timeout: Given<Duration>,
}

/// The settings that name no place, as given: `brigade dev` has them too.
#[derive(Clone, Debug, clap::Args)]
pub struct JobArgs {
    /// The names of outputs below that prefix: text with {path} (the file's name below its inbox), {stem} (the same without
    /// its extension) and {file} (what the program or processor named) [default: {path}/{file}; {stem}.json of the sample]
    #[arg(long, env = names::OUTPUT_NAME, value_name = "TEMPLATE", default_value = "", hide_default_value = true,
        value_parser = optional(form("a template such as {path}/{file}", str::parse::<OutputName>)))]
    output_name: Given<Option<OutputName>>,
    /// What to do when an output's name is taken by another file's output, or by a file that no worker wrote: keep that and
    /// add the generation to the new name, refuse the file, or replace
    #[arg(long, env = names::OUTPUT_TAKEN, value_name = "WHAT", default_value = "keep",
        value_parser = setting(choice::<Taken>))]
    output_taken: Given<Taken>,
    /// The largest object that is taken, such as 500MB or 2GiB, up to 5 TiB; a larger one goes to failed/ unread
    /// [default: any]
    #[arg(long, env = names::MAX_SIZE, value_name = "SIZE", default_value = "", hide_default_value = true, value_parser = optional(size))]
    max_size: Given<Option<u64>>,
}

/// The settings as resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerSettings {
    /// The program of the exec worker.
    pub exec: Option<ExecSettings>,
    /// Where outputs go.
    pub output: Option<Location>,
    /// Objects at work at once, if that is given: see [`concurrency`](Self::concurrency).
    pub concurrency: Option<usize>,
    /// How long one object may take.
    pub timeout: Duration,
    /// How outputs are named; by default as the processor says.
    pub output_name: Option<OutputName>,
    /// What becomes of an output whose name is taken.
    pub output_taken: Taken,
    /// The largest object that is read, in bytes.
    pub max_size: Option<u64>,
}

// === impl WorkerArgs ===

impl WorkerArgs {
    /// Resolves every setting, and notes every problem; nothing when there was one. There is no program then.
    pub fn resolve(&self, problems: &mut Problems) -> Option<WorkerSettings> {
        let output = self.output.get(problems);
        let concurrency = self.concurrency.get(problems);
        let timeout = self.process_timeout.get(problems);
        let job = self.job.resolve(problems);
        let (output_name, output_taken, max_size) = job?;
        Some(WorkerSettings {
            exec: None,
            concurrency: concurrency?,
            output: output?,
            output_name,
            output_taken,
            timeout: timeout?,
            max_size,
        })
    }
}

// === impl JobArgs ===

impl JobArgs {
    /// The names of outputs, what becomes of one whose name is taken, and the largest object that is read. Notes every problem.
    pub fn resolve(
        &self,
        problems: &mut Problems,
    ) -> Option<(Option<OutputName>, Taken, Option<u64>)> {
        let name = self.output_name.get(problems);
        let taken = self.output_taken.get(problems);
        let max_size = self.max_size.get(problems);
        Some((name?, taken?, max_size?))
    }
}

/// A size in bytes. A worker that takes nothing would refuse everything.
fn size(given: &str) -> Result<u64, Unfit> {
    let size = given.parse::<ByteSize>();
    let size = size.map_err(|why| Unfit::new("a size such as 500MB or 2GiB", why))?;
    within(&(1..=MAX_SIZE), size.as_u64(), |size| ByteSize(*size).to_string())
}

// === impl WorkerSettings ===

impl WorkerSettings {
    /// Objects at work at once. A persistent program has another one at hand for each process that becomes free.
    pub fn concurrency(&self) -> usize {
        let persistent = self.exec.as_ref().and_then(|exec| exec.persistent.as_ref());
        let default =
            || persistent.map_or(DEFAULT_CONCURRENCY, |persistent| 2 * persistent.processes());
        self.concurrency.unwrap_or_else(default)
    }
}

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
        exec: ExecArgs,
        #[command(flatten)]
        worker: WorkerArgs,
    }

    fn resolve(flags: &[&str]) -> Result<WorkerSettings, Problems> {
        let mut problems = Problems::default();
        let cli = Cli::try_parse_from(flags).unwrap();
        let (exec, settings) = (cli.exec.resolve(&mut problems), cli.worker.resolve(&mut problems));
        let (exec, settings) = problems.into_settings(exec.zip(settings))?;
        Ok(WorkerSettings { exec, ..settings })
    }

    #[test]
    fn nothing_given_means_the_defaults() {
        let blank = ["--exec", "", "--output=", "--max-size", " "];
        for flags in [&[][..], &blank] {
            assert_eq!(resolve(flags).unwrap(), WorkerSettings::default());
        }
    }

    #[test]
    fn a_persistent_program_has_another_object_at_hand_for_each_process() {
        let persistent = ["--exec", "true", "--persistent", "--processes", "3"];
        assert_eq!(resolve(&persistent).unwrap().concurrency(), 6);
        let given = [&persistent[..], &["--concurrency", "1"]].concat();
        assert_eq!(resolve(&given).unwrap().concurrency(), 1);
        assert_eq!(WorkerSettings::default().concurrency(), 32);
    }

    #[test]
    fn a_persistent_program_has_settings_of_its_own() {
        let all = [
            "--processes=2",
            "--recycle-after=1",
            "--startup-timeout=1h",
            "--max-memory=2GiB",
            "--env=A,B",
        ];
        let given = [&["--exec", "true", "--persistent"], &all[..]].concat();
        let persistent = resolve(&given).unwrap().exec.unwrap().persistent.unwrap();
        assert_eq!(persistent.startup_timeout, Duration::from_hours(1));
        let once = resolve(&[&["--exec", "true"], &all[..]].concat()).unwrap_err().to_string();
        for flag in &all[..4] {
            let (flag, _) = flag.split_once('=').unwrap();
            assert!(once.contains(flag) && once.contains("--persistent"), "{once}");
        }
        let bare = resolve(&["--exec", "true", "--persistent"]).unwrap();
        let minutes = bare.exec.unwrap().persistent.unwrap().startup_timeout;
        assert_eq!(minutes, Duration::from_mins(2));
    }

    #[test]
    fn problems_of_the_worker() {
        let cases: [(&str, &[&str], &[&str]); 15] = [
            ("--concurrency", &["1", "1000", "10000"], &["0", "-1", "1.5", "10001"]),
            (
                "--process-timeout",
                &["1s", "1h", "7days"],
                &["0", "0s", "1ms", "-1s", "8days", "10"],
            ),
            ("--max-size", &["1B", "2GiB"], &["0", "0GiB", "-1", "6TiB", "2 elephants"]),
            ("--unpack", &["false"], &["yes", "true"]),
            ("--persistent", &["false"], &["yes", "true"]),
            ("--processes", &[""], &["0", "1001", "auto", "1", "1000"]),
            ("--recycle-after", &[""], &["0", "1"]),
            ("--startup-timeout", &[""], &["0s", "10", "1h"]),
            ("--max-memory", &[""], &["0", "2 elephants", "2GiB"]),
            ("--env", &[""], &["PATH=/bin", "PATH", "A,B"]),
            ("--clear-env", &["false"], &["yes", "true"]),
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
        let persistent = ["--exec", "cat {}", "--persistent"];
        writeln!(table, "{}", resolve(&persistent).unwrap_err()).unwrap();
        let all = ["--output", "features/", "--concurrency", "0", "--max-size", "0"];
        writeln!(table, "{}", resolve(&all).unwrap_err()).unwrap();
        for wrapped in persistent_problems() {
            writeln!(table, "{wrapped}").unwrap();
        }
        insta::assert_snapshot!(table);
    }

    /// What is said about persistent programs that cannot be.
    fn persistent_problems() -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        let named = |name: &str, arguments: &str| {
            let path = directory.path().join(name);
            std::fs::copy("/bin/true", &path).unwrap();
            let command = format!("{} {arguments}", path.display());
            resolve(&["--persistent", "--exec", &command])
        };
        for (name, arguments) in [("conda", "list"), ("sudo", "-C 5 score"), ("score", "run")] {
            named(name, arguments).unwrap();
        }
        let bad = [("npm", "start"), ("conda", "run score"), ("sudo", "score"), ("score", "{}")];
        let problems = bad.map(|(name, arguments)| named(name, arguments).unwrap_err().to_string());
        problems.to_vec()
    }
}
