//! All settings of a worker whose processor is a program's own: its command line, and as resolved.

use std::{
    env,
    ffi::{OsStr, OsString},
    net::SocketAddr,
};

use brigade_runtime::{
    exit::Failure,
    export::{TelemetryArgs, TelemetrySettings},
    guard::GuardArgs,
    service::AuthConfig,
    settings::{Problem, Problems, ServerArgs, names, unknown, variables},
};
use clap::{Args as _, Command, CommandFactory as _, Parser as _};

use crate::settings::{ExecArgs, WorkerArgs, WorkerSettings};

/// All settings of a worker, as given.
#[derive(Clone, Debug, clap::Args)]
// A struct that flattens it may have this name too.
#[group(skip)]
pub struct Args {
    /// The address and port.
    #[command(flatten)]
    pub server: ServerArgs,
    /// The allowed callers.
    #[command(flatten)]
    pub guard: GuardArgs,
    /// What of its telemetry is a setting of its own.
    #[command(flatten)]
    pub telemetry: TelemetryArgs,
    /// The worker's own settings.
    #[command(flatten)]
    pub worker: WorkerArgs,
}

/// All settings of a worker, as resolved.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The address and port.
    pub address: SocketAddr,
    /// The allowed callers.
    pub gate: AuthConfig,
    /// What of its telemetry is a setting of its own.
    pub telemetry: TelemetrySettings,
    /// The worker's own settings.
    pub worker: WorkerSettings,
}

/// Serves a worker of Bucket Brigade.
#[derive(Debug, clap::Parser)]
#[command(name = "brigade-worker", version, max_term_width = 100)]
struct CommandLine {
    #[command(flatten)]
    args: Args,
}

// === impl Args ===

impl Args {
    /// The flags of the command line, and the environment.
    pub(crate) fn of_command_line() -> Result<Self, clap::Error> {
        CommandLine::try_parse().map(|line| line.args)
    }

    /// The environment alone, for a program whose command line is its own.
    pub fn from_env() -> Result<Self, Failure> {
        let line = CommandLine::try_parse_from(["worker"]);
        line.map(|line| line.args).map_err(|error| Failure::usage(error, ""))
    }

    /// Resolves every setting, or names every problem at once, after those that were noted before.
    pub fn resolve(&self, mut problems: Problems) -> Result<Settings, Failure> {
        let address = self.server.resolve(&mut problems);
        let gate = AuthConfig::resolve(&self.guard, address, &mut problems);
        let telemetry = self.telemetry.resolve(&mut problems);
        let worker = self.worker.resolve(&mut problems);
        let given = address.zip(gate).zip(telemetry).zip(worker);
        let (((address, gate), telemetry), worker) = problems.into_settings(given)?;
        Ok(Settings { address, gate, telemetry, worker })
    }

    /// The same, where what the environment says of a program is a problem.
    pub(crate) fn resolve_for_processor(&self) -> Result<Settings, Failure> {
        self.resolve(problems(env::vars_os()))
    }
}

/// A variable that looks like a misspelt setting is a problem too. Another may be a setting of the poller beside it.
fn problems(environment: impl IntoIterator<Item = (OsString, OsString)>) -> Problems {
    let environment: Vec<_> = environment.into_iter().collect();
    let names = environment.iter().map(|(name, _)| name.clone());
    let mut problems = Problems::default();
    problems.extend(unknown(&CommandLine::command(), names).into_iter().filter(Problem::is_typo));
    let value = |name: &str| {
        let mut all = environment.iter();
        all.find(|(given, _)| given == OsStr::new(name)).map(|(_, value)| value.clone())
    };
    let of_programs = variables(&ExecArgs::augment_args(Command::new("exec")));
    let of_programs =
        of_programs.iter().map(String::as_str).filter(|name| *name != names::IMPERSONATE);
    problems.refuse(of_programs, "this program is a processor itself and runs no other", value);
    problems
}

#[cfg(test)]
mod tests {
    use brigade_runtime::exit::Exit;
    use insta::assert_snapshot;

    use super::*;

    fn parse(flags: &[&str]) -> Result<Args, clap::Error> {
        CommandLine::try_parse_from([&["/usr/bin/lines"], flags].concat()).map(|line| line.args)
    }

    #[test]
    fn help_of_a_worker_in_rust_has_no_flag_of_programs() {
        assert_snapshot!(parse(&["--help"]).unwrap_err());
        let version = parse(&["--version"]).unwrap_err().to_string();
        assert!(version.starts_with("brigade-worker "), "{version}");
    }

    #[test]
    fn a_processor_runs_no_program_and_reports_each_setting_that_asks_for_one() {
        let given = [("BRIGADE_EXEC", "true"), ("BRIGADE_PERSISTENT", " "), ("BRIGADE_ENV", "A")];
        let others = [("BRIGADE_INBOX", "gs://b/a/"), ("BRIGADE_CONCURENCY", "3")];
        let environment = given.into_iter().chain(others);
        let environment = environment.map(|(name, value)| (name.into(), value.into()));
        assert_snapshot!(problems(environment).into_result().unwrap_err());
        assert!(parse(&["--exec", "true"]).is_err());
    }

    #[test]
    fn every_wrong_setting_of_a_worker_is_reported_at_once() {
        let args = parse(&["--auth", "off", "--concurrency", "none"]).unwrap();
        let failure = args.resolve(Problems::default()).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        for setting in ["BRIGADE_AUTH", "BRIGADE_CONCURRENCY"] {
            assert!(failure.message.contains(setting), "{failure}");
        }
    }
}
