//! The variables of a deployment that have no meaning here. Ignored, they would let a developer believe that they work.

use std::ffi::OsString;

use brigade_runtime::settings::{Problems, names};

const FOLDERS: [&str; 4] = ["BRIGADE_INBOX", names::PROCESSED, names::FAILED, names::OUTPUT];
const CALLERS: [&str; 11] = [
    names::AUTH,
    names::PUBLIC_URL,
    names::AUDIENCE,
    names::ALLOWED_CALLERS,
    names::READERS,
    names::OPERATORS,
    names::JWKS_URL,
    "BRIGADE_ISSUERS",
    "BRIGADE_ALLOW_HOST",
    names::IMPERSONATE,
    "BRIGADE_WORKER_AUTH",
];
const WORKER: [&str; 2] = ["WORKER_URL", "WORKER_AUDIENCE"];
const TASKS: [&str; 4] =
    [names::DISPATCH, names::TASKS_QUEUE, names::TASKS_ACCOUNT, "BRIGADE_TASKS_ENDPOINT"];

/// Notes each of them that is set.
pub(super) fn check(
    problems: &mut Problems,
    mut environment: impl FnMut(&str) -> Option<OsString>,
) {
    let mut refuse = |names: &[&str], why| {
        problems.refuse(names.iter().copied(), why, &mut environment);
    };
    refuse(&FOLDERS, "brigade dev uses folders of the directory that --data names");
    refuse(&CALLERS, "brigade dev has accounts, keys, tokens and hosts of its own");
    refuse(
        &["BRIGADE_BIND"],
        "brigade dev listens on 127.0.0.1 alone, on the ports that --port names",
    );
    refuse(&WORKER, "brigade dev starts a worker itself, or calls the one that --worker names");
    refuse(&TASKS, "brigade dev has no Cloud Tasks: its poller calls the worker directly");
}

#[cfg(test)]
mod tests {
    use brigade_runtime::settings::variables;
    use clap::{Args as _, Command, CommandFactory as _};

    use super::*;
    use crate::{cli::Cli, dev::Args};

    #[test]
    fn every_variable_is_a_setting_of_dev_or_is_refused_with_the_reason() {
        let mut honoured = variables(&Args::augment_args(Command::new("dev")));
        // Every command knows it: the clients read it.
        honoured.remove(names::IMPERSONATE);
        let mut of_services = variables(&Cli::command());
        // Cloud Run and others set these for every program; the last is of the commands that call a poller.
        let of_all = ["PORT", names::K_SERVICE, names::POLLER];
        of_services.retain(|name| !of_all.contains(&name.as_str()));
        let mut problems = Problems::default();
        check(&mut problems, |name| {
            assert!(of_services.remove(name), "{name} is no setting");
            assert!(!honoured.contains(name), "{name} is honoured");
            Some("x".into())
        });
        assert_eq!(of_services, honoured);
        insta::assert_snapshot!(problems.into_result().unwrap_err());
    }
}
