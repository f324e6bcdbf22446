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
    use super::*;

    fn resolve(args: &WorkerArgs) -> Result<WorkerSettings, String> {
        let mut problems = Problems::default();
        let settings = args.resolve(&mut problems);
        problems.into_result().map_err(|error| error.to_string())?;
        Ok(settings.expect("no problem means settings"))
    }

    #[test]
    fn nothing_given_means_the_defaults() {
        let settings = resolve(&WorkerArgs::default()).unwrap();
        assert_eq!(settings, WorkerSettings::default());
    }

    #[test]
    fn a_number_that_cannot_be_meant_is_named_with_what_is_taken() {
        type Set = fn(&mut WorkerArgs, String);
        let cases: [(&str, Set, &[&str], &[&str]); 3] = [
            (
                "BRIGADE_CONCURRENCY (--concurrency)",
                |args, given| args.concurrency = Some(given),
                &["1", "1000", "10000"],
                &["0", "-1", "1.5", "10001"],
            ),
            (
                "BRIGADE_PROCESS_TIMEOUT (--process-timeout)",
                |args, given| args.process_timeout = Some(given),
                &["1s", "1h", "7days"],
                &["0", "0s", "1ms", "-1s", "8days"],
            ),
            (
                "BRIGADE_MAX_SIZE (--max-size)",
                |args, given| args.max_size = Some(given),
                &["1B", "2GiB"],
                &["0", "0GiB", "-1", "6TiB"],
            ),
        ];
        for (setting, set, good, bad) in cases {
            let given = |given: &str| {
                let mut args = WorkerArgs::default();
                set(&mut args, given.to_owned());
                resolve(&args)
            };
            for good in good {
                given(good).unwrap();
            }
            for bad in bad {
                let said = given(bad).unwrap_err();
                assert!(
                    said.starts_with(&format!("{setting} is {bad:?}, ")),
                    "{said}"
                );
            }
        }
        let nothing = WorkerArgs {
            process_timeout: Some("0".into()),
            max_size: Some("0".into()),
            ..WorkerArgs::default()
        };
        let said = resolve(&nothing).unwrap_err();
        assert!(said.contains("is \"0\", and takes 1s to 7days"), "{said}");
        assert!(
            said.contains("is \"0\", and takes 1 B to 5.0 TiB"),
            "{said}"
        );
    }

    #[test]
    fn every_wrong_setting_is_named_at_once() {
        let wrong = WorkerArgs {
            exec: Some("no-such-program-anywhere {}".into()),
            output: Some("features/".into()),
            concurrency: Some("0".into()),
            process_timeout: Some("10".into()),
            max_size: Some("2 elephants".into()),
        };
        let text = resolve(&wrong).unwrap_err();
        for part in [
            "BRIGADE_EXEC (--exec)",
            "no-such-program-anywhere",
            "BRIGADE_OUTPUT",
            "BRIGADE_CONCURRENCY",
            "BRIGADE_PROCESS_TIMEOUT",
            "BRIGADE_MAX_SIZE",
        ] {
            assert!(text.contains(part), "{part} is missing in: {text}");
        }
    }
}
