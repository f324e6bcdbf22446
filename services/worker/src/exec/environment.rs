//! The environment variables that a program gets: some of the worker's own, and those that describe the object.

use std::{env, ffi::OsString, num::NonZero, process::Command, thread::available_parallelism};

use brigade_telemetry::traceparent;

use super::work_dir::WorkDir;
use crate::job::Job;

/// The worker's own settings and credentials, which are no business of a program: the beginnings of their names.
const WITHHELD: [&str; 4] = ["BRIGADE_", "WORKER_", "OTEL_", "GOOGLE_APPLICATION_CREDENTIALS"];
/// What a program gets of a cleared environment.
const ALWAYS: [&str; 3] = ["PATH", "HOME", "LANG"];
/// How many threads libraries of one process start: by default as many as the machine has CPUs, whatever else runs there.
const THREADS: [&str; 5] = [
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
];
/// Python writes a pipe in blocks otherwise, and a process that is killed takes its last lines with it.
const UNBUFFERED: &str = "PYTHONUNBUFFERED";

/// Which of the worker's variables its programs get. By default all but the worker's own settings and credentials.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    allowed: Vec<String>,
    clear: bool,
}

/// A variable and its value; without a value it is removed.
pub(super) type Variable = (&'static str, Option<OsString>);

/// The variables of one run, in addition to the worker's own.
///
/// A variable cannot hold a NUL, but an object's name and content type can: then the variable is not set. `OBJECT_JSON` is
/// always set to the whole object in proto3 JSON, where a NUL is `\u0000`.
pub(super) fn variables(job: &Job, work_dir: &WorkDir, unpacked: bool) -> Vec<Variable> {
    let object = job.object();
    // Of the copy, which may be unpacked already.
    let encoding = if unpacked { "" } else { &object.content_encoding };
    // A message of strings and numbers always has a JSON form.
    let json = serde_json::to_string(object).unwrap_or_default();
    vec![
        ("OBJECT_BUCKET", text(&object.bucket)),
        ("OBJECT_NAME", text(&object.name)),
        ("OBJECT_GENERATION", text(&object.generation.to_string())),
        ("OBJECT_CONTENT_TYPE", text(&object.content_type)),
        ("OBJECT_CONTENT_ENCODING", text(encoding)),
        ("OBJECT_ATTEMPT", text(&job.attempt().to_string())),
        ("OBJECT_JSON", text(&json)),
        ("OUTPUT_DIR", Some((&work_dir.output).into())),
        ("ANSWER_FILE", Some((&work_dir.answer).into())),
        // The worker's own at its start is not that of this object.
        ("TRACEPARENT", traceparent().map(Into::into)),
        // Temporary files are removed with the run's directory.
        ("TMPDIR", Some((&work_dir.scratch).into())),
    ]
}

fn text(value: &str) -> Option<OsString> {
    (!value.contains('\0')).then(|| value.into())
}

// === impl Environment ===

impl Environment {
    /// The default and `allowed`; or with `clear` a few that every program needs and `allowed`, and no others.
    pub fn new(allowed: impl IntoIterator<Item = String>, clear: bool) -> Self {
        Self { allowed: allowed.into_iter().collect(), clear }
    }

    /// The names of this process's variables that programs do not get.
    pub fn withheld(&self) -> impl Iterator<Item = OsString> {
        env::vars_os().map(|(name, _)| name).filter(|name| !self.passes(&name.to_string_lossy()))
    }

    /// Says once what programs do not get: a program that needs it fails in its own words.
    pub(crate) fn log_withheld(&self) {
        let names: Vec<_> =
            self.withheld().map(|name| name.to_string_lossy().into_owned()).collect();
        if !names.is_empty() {
            let names = names.join(" ");
            tracing::info!(%names, "programs do not get these variables; BRIGADE_ENV (--env) gives one to them");
        }
        for name in self.allowed.iter().filter(|name| env::var_os(name).is_none()) {
            tracing::warn!(%name, "BRIGADE_ENV (--env) names a variable that this worker does not have");
        }
    }

    /// The variables that share the CPUs among so many processes of a program. None when it gets one of them already:
    /// libraries read each other's.
    pub(super) fn threads(&self, processes: usize) -> impl Iterator<Item = (&'static str, String)> {
        let given = THREADS.iter().any(|name| self.has(name));
        let cpus = available_parallelism().map_or(1, NonZero::get);
        let threads = (cpus / processes.max(1)).max(1);
        let names = THREADS.into_iter().filter(move |_| !given);
        names.map(move |name| (name, threads.to_string()))
    }

    /// Whether a program gets this variable of the worker's.
    fn has(&self, name: &str) -> bool {
        self.passes(name) && env::var_os(name).is_some()
    }

    fn passes(&self, name: &str) -> bool {
        if self.allowed.iter().any(|allowed| allowed == name) {
            return true;
        }
        if self.clear {
            return ALWAYS.contains(&name);
        }
        !WITHHELD.iter().any(|withheld| name.starts_with(withheld))
    }

    /// Removes from a command what it does not get, and adds what every program should have.
    pub(super) fn apply(&self, command: &mut Command) {
        for name in self.withheld() {
            command.env_remove(name);
        }
        if !self.has(UNBUFFERED) {
            command.env(UNBUFFERED, "1");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowing(names: &[&str], clear: bool) -> Environment {
        Environment::new(names.iter().map(|name| (*name).to_owned()), clear)
    }

    /// Whether a program gets each of them.
    fn passing<'a>(environment: &Environment, names: &[&'a str]) -> Vec<&'a str> {
        names.iter().copied().filter(|name| environment.passes(name)).collect()
    }

    #[test]
    fn a_program_gets_the_environment_but_for_the_workers_own_settings_and_credentials() {
        let names = [
            "PATH",
            "PYTHONPATH",
            "VIRTUAL_ENV",
            "CUDA_VISIBLE_DEVICES",
            "HTTPS_PROXY",
            "PORT",
            "GOOGLE_CLOUD_PROJECT",
            "DATABASE_URL",
            "BRIGADE_EXEC",
            "WORKER_URL",
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "GOOGLE_APPLICATION_CREDENTIALS",
        ];
        assert_eq!(passing(&Environment::default(), &names), names[..8]);
        let given = allowing(&["GOOGLE_APPLICATION_CREDENTIALS", "WORKER_"], false);
        assert_eq!(passing(&given, &names[8..]), ["GOOGLE_APPLICATION_CREDENTIALS"]);
    }

    #[test]
    fn a_cleared_environment_has_what_is_named_and_no_more() {
        let names = ["PATH", "HOME", "LANG", "LC_ALL", "PYTHONPATH", "BRIGADE_EXEC"];
        let cleared = allowing(&["PYTHONPATH", "BRIGADE_EXEC"], true);
        assert_eq!(
            passing(&cleared, &names),
            ["PATH", "HOME", "LANG", "PYTHONPATH", "BRIGADE_EXEC"]
        );
        // One that this process certainly has.
        assert!(allowing(&[], true).withheld().any(|name| name == "CARGO_MANIFEST_DIR"));
    }

    #[test]
    fn python_writes_its_lines_at_once() {
        let mut command = Command::new("python3");
        allowing(&[], true).apply(&mut command);
        assert!(command.get_envs().any(|set| set == (UNBUFFERED.as_ref(), Some("1".as_ref()))));
    }

    #[test]
    fn the_processes_of_a_program_share_the_cpus_unless_their_threads_are_set() {
        let cpus = available_parallelism().unwrap().get();
        let cleared = allowing(&[], true);
        for (processes, threads) in [(1, cpus), (cpus, 1), (cpus * 10, 1), (0, cpus)] {
            let variables: Vec<_> = cleared.threads(processes).collect();
            assert_eq!(variables.len(), THREADS.len());
            let expected = threads.to_string();
            assert!(variables.iter().all(|(_, value)| *value == expected), "{processes}");
        }
    }
}
