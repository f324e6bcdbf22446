//! The settings of dispatch.

use brigade_client::identity::is_confidential;
use brigade_runtime::settings::{Given, Problems, choice, email, form, names, optional, setting};
use url::Url;

/// As given.
#[derive(Clone, Debug, clap::Args)]
pub struct TasksArgs {
    /// Who calls the worker: direct, the poll itself; or tasks, Cloud Tasks, by one named task an object, through POST
    /// /process
    #[arg(long, env = names::DISPATCH, value_name = "MODE", default_value = "direct",
        value_parser = setting(choice::<Dispatch>))]
    dispatch: Given<Dispatch>,
    /// With --dispatch tasks: the queue
    #[arg(long, env = names::TASKS_QUEUE, value_name = "projects/P/locations/L/queues/Q", default_value = "", hide_default_value = true,
        value_parser = setting(form("a queue's whole name, projects/P/locations/L/queues/Q", queue_name)))]
    tasks_queue: Given<String>,
    /// With --dispatch tasks: the service account whose ID token comes with each task
    #[arg(long, env = names::TASKS_ACCOUNT, value_name = "EMAIL", default_value = "", hide_default_value = true,
        value_parser = setting(form("a service account's email", email)))]
    tasks_account: Given<String>,
    /// With --dispatch tasks: an emulator's address [default: Cloud Tasks itself]
    #[arg(long, env = "BRIGADE_TASKS_ENDPOINT", value_name = "URL", default_value = "", hide_default_value = true,
        value_parser = optional(form("https://HOST, or http://127.0.0.1:PORT for an emulator on this machine", address)))]
    tasks_endpoint: Given<Option<Url>>,
}

/// Who calls the worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Dispatch {
    /// The poll itself.
    Direct,
    /// Cloud Tasks.
    Tasks,
}

/// As resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TasksSettings {
    /// `projects/P/locations/L/queues/Q`.
    pub queue: String,
    /// Whose ID token comes with each task.
    pub account: String,
    /// An emulator's address. No credentials are sent to one on this machine over plain HTTP.
    pub endpoint: Option<Url>,
}

impl TasksArgs {
    /// Resolves them, and notes every problem. The outer option is empty when there was one.
    #[allow(clippy::option_option, reason = "direct dispatch and a problem are two things")]
    pub(crate) fn resolve(&self, problems: &mut Problems) -> Option<Option<TasksSettings>> {
        if self.dispatch.get(problems)? == Dispatch::Direct {
            return self.unused(problems).then_some(None);
        }
        let queue = self.tasks_queue.get(problems);
        let account = self.tasks_account.get(problems);
        let endpoint = self.tasks_endpoint.get(problems);
        Some(Some(TasksSettings { queue: queue?, account: account?, endpoint: endpoint? }))
    }

    /// A queue that is not used is most likely a missing `BRIGADE_DISPATCH`.
    fn unused(&self, problems: &mut Problems) -> bool {
        if self.tasks_queue.is_blank() {
            return true;
        }
        let mode = names::DISPATCH;
        let why = format!("nothing is put into it; set {mode}=tasks, or remove it");
        problems.conflict(names::TASKS_QUEUE, why);
        false
    }
}

fn queue_name(given: &str) -> Result<String, &'static str> {
    match given.split('/').collect::<Vec<_>>().as_slice() {
        ["projects", project, "locations", location, "queues", queue]
            if [project, location, queue].into_iter().all(|part| is_id(part)) =>
        {
            Ok(given.to_owned())
        }
        _ => Err(""),
    }
}

/// An id has neither blanks nor quotes; `:` is part of a project that belongs to a domain.
fn is_id(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b))
}

fn address(given: &str) -> Result<Url, String> {
    let url = Url::parse(given).map_err(|error| error.to_string())?;
    if matches!(url.scheme(), "http" | "https") && is_confidential(&url) {
        Ok(url)
    } else {
        Err("a token could be read on its way there".into())
    }
}
