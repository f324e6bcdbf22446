//! The settings of programs: which one runs, how, and with which variables.

use std::{num::NonZero, thread, time::Duration};

use brigade_runtime::settings::{
    Given, Problems, TIME_RANGE, Unfit, boolean, count, form, names, optional, setting, time,
};

use super::size;
use crate::exec::{Environment, Program};

/// More processes than this are no use on any machine that Cloud Run has.
const MAX_PROCESSES: usize = 1_000;
const STARTUP_TIMEOUT: Duration = Duration::from_mins(2);

/// The settings as given.
#[derive(Clone, Debug, clap::Args)]
pub struct ExecArgs {
    /// A program to run once per object; {} is the path of the object's copy [default: the sample processor]
    #[arg(long, env = names::EXEC, value_name = "CMD", default_value = "", hide_default_value = true,
        value_parser = optional(form("a program and its arguments", str::parse::<Program>)))]
    pub(crate) exec: Given<Option<Program>>,
    /// Whether the program is started once and gets one object after the other, as docs/PROTOCOL.md describes, instead of
    /// once for each object
    #[arg(long, env = names::PERSISTENT, value_name = "true|false", default_value = "false", num_args = 0..=1,
        require_equals = true, default_missing_value = "true", value_parser = setting(boolean))]
    persistent: Given<bool>,
    /// With --persistent: how many processes of the program run, 1 to 1,000 [default: the CPUs of this machine or container]
    #[arg(long, env = "BRIGADE_PROCESSES", value_name = "N", default_value = "", hide_default_value = true,
        value_parser = optional(count(1..=MAX_PROCESSES)))]
    processes: Given<Option<usize>>,
    /// With --persistent: a process is replaced after about this many objects [default: never]
    #[arg(long, env = "BRIGADE_RECYCLE_AFTER", value_name = "N", default_value = "", hide_default_value = true,
        value_parser = optional(count(1..=1_000_000_000_u64)))]
    recycle_after: Given<Option<u64>>,
    /// With --persistent: how long a process may take until it is ready, 1 s to 7 days [default: 2m]
    #[arg(long, env = "BRIGADE_STARTUP_TIMEOUT", value_name = "TIME", default_value = "", hide_default_value = true,
        value_parser = optional(time(TIME_RANGE)))]
    startup_timeout: Given<Option<Duration>>,
    /// With --persistent: the memory of one process with its children, such as 2GiB; one that has more is replaced after its
    /// object, and ended at once at half as much again [default: no limit]
    #[arg(long, env = "BRIGADE_MAX_MEMORY", value_name = "SIZE", default_value = "", hide_default_value = true,
        value_parser = optional(size))]
    max_memory: Given<Option<u64>>,
    /// A variable of the worker that programs get although it is withheld, or with --clear-env at all; may be repeated, or
    /// separated by commas
    #[arg(long, env = "BRIGADE_ENV", value_name = "NAME", value_delimiter = ',', value_parser = optional(variable))]
    env: Vec<Given<Option<String>>>,
    /// Whether programs get no variables of the worker but PATH, HOME, LANG and those of --env
    #[arg(long, env = "BRIGADE_CLEAR_ENV", value_name = "true|false", default_value = "false", num_args = 0..=1,
        require_equals = true, default_missing_value = "true", value_parser = setting(boolean))]
    clear_env: Given<bool>,
    /// Whether a program gets an object whose content encoding is gzip unpacked; the limit of --max-size is then one
    /// of the unpacked size too
    #[arg(long, env = "BRIGADE_UNPACK", value_name = "true|false", default_value = "false", num_args = 0..=1,
        require_equals = true, default_missing_value = "true", value_parser = setting(boolean))]
    unpack: Given<bool>,
}

/// The settings as resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecSettings {
    /// The program, which exists and can be run.
    pub program: Program,
    /// The variables that it gets of the worker's.
    pub environment: Environment,
    /// Whether it gets gzip objects unpacked.
    pub unpack: bool,
    /// How it runs when it is started once for many objects.
    pub persistent: Option<PersistentSettings>,
}

/// How a persistent program runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersistentSettings {
    /// Its processes; by default as many as CPUs.
    pub processes: Option<usize>,
    /// About how many objects one process gets.
    pub recycle_after: Option<u64>,
    /// How long one may take until it is ready.
    pub startup_timeout: Duration,
    /// Bytes of memory of one process and its children.
    pub max_memory: Option<u64>,
}

// === impl ExecSettings ===

impl ExecSettings {
    /// The defaults for this program.
    pub fn new(program: Program) -> Self {
        let environment = Environment::default();
        Self { program, environment, unpack: false, persistent: None }
    }

    /// Says once, when the worker starts, which variables programs do not get, and what is probably a mistake.
    pub fn log_notes(&self) {
        self.program.log_doubts();
        self.environment.log_withheld();
    }
}

// === impl PersistentSettings ===

impl PersistentSettings {
    /// How many processes run.
    pub fn processes(&self) -> usize {
        // A limit of the container's CPU time counts.
        let cpus = || thread::available_parallelism().map_or(1, NonZero::get);
        self.processes.unwrap_or_else(cpus).clamp(1, MAX_PROCESSES)
    }
}

// === impl ExecArgs ===

impl ExecArgs {
    /// Whether no program is named.
    pub fn is_blank(&self) -> bool {
        self.exec.is_blank()
    }

    /// Resolves every setting, and notes every problem; nothing when there was one.
    pub fn resolve(&self, problems: &mut Problems) -> Option<Option<ExecSettings>> {
        let program = self.exec.get(problems);
        let persistent = self.persistent.get(problems);
        let processes = self.processes.get(problems);
        let recycle_after = self.recycle_after.get(problems);
        let startup_timeout = self.startup_timeout.get(problems);
        let max_memory = self.max_memory.get(problems);
        let given: Vec<_> = self.env.iter().map(|name| name.get(problems)).collect();
        let clear_env = self.clear_env.get(problems);
        let unpack = self.unpack.get(problems);
        self.check(persistent, clear_env, unpack, problems);
        let names: Option<Vec<Option<String>>> = given.into_iter().collect();
        let environment = Environment::new(names?.into_iter().flatten(), clear_env?);
        let settings = PersistentSettings {
            processes: processes?,
            recycle_after: recycle_after?,
            startup_timeout: startup_timeout?.unwrap_or(STARTUP_TIMEOUT),
            max_memory: max_memory?,
        };
        let (unpack, persistent) = (unpack?, persistent?.then_some(settings));
        let program = program?;
        if let (Some(program), Some(_)) = (&program, &persistent) {
            if program.has_placeholder() {
                let why = "{} in the command stands for one object's file, but a persistent program gets one after the other by docs/PROTOCOL.md; remove {} from BRIGADE_EXEC (--exec)";
                problems.conflict(names::PERSISTENT, why);
            }
            if let Some(wrapper) = program.wrapper() {
                problems.conflict(names::PERSISTENT, format!("{wrapper} closes the descriptors 3 and 4, by which a persistent program gets jobs and answers; start the program itself in BRIGADE_EXEC (--exec), such as node score.js or python3 score.py"));
            }
        }
        Some(program.map(|program| ExecSettings { program, environment, unpack, persistent }))
    }

    /// What makes no sense together.
    fn check(
        &self,
        persistent: Option<bool>,
        clear_env: Option<bool>,
        unpack: Option<bool>,
        problems: &mut Problems,
    ) {
        if persistent == Some(false) {
            let settings = [
                (self.processes.is_blank(), "BRIGADE_PROCESSES"),
                (self.recycle_after.is_blank(), "BRIGADE_RECYCLE_AFTER"),
                (self.startup_timeout.is_blank(), "BRIGADE_STARTUP_TIMEOUT"),
                (self.max_memory.is_blank(), "BRIGADE_MAX_MEMORY"),
            ];
            for (_, setting) in settings.into_iter().filter(|(is_blank, _)| !is_blank) {
                problems.conflict(setting, "only a persistent program has it; set BRIGADE_PERSISTENT=true (--persistent), or unset it");
            }
        }
        if self.is_blank() {
            let has_env = self.env.iter().any(|name| !name.is_blank());
            let settings = [
                (Some(has_env), "BRIGADE_ENV"),
                (persistent, names::PERSISTENT),
                (clear_env, "BRIGADE_CLEAR_ENV"),
                (unpack, "BRIGADE_UNPACK"),
            ];
            for (given, setting) in settings {
                if given == Some(true) {
                    problems.conflict(
                        setting,
                        "only a program (BRIGADE_EXEC, --exec) can have it; unset it",
                    );
                }
            }
        }
    }
}

/// The name of an environment variable.
fn variable(given: &str) -> Result<String, Unfit> {
    if given.contains(|c: char| "='\"`\0".contains(c) || c.is_whitespace()) {
        Err(Unfit::new("the name of a variable, without a value", ""))
    } else {
        Ok(given.to_owned())
    }
}
