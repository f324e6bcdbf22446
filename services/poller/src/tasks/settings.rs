//! The settings of dispatch.

use brigade_client::identity::is_confidential;
use brigade_runtime::settings::{Problem, Problems, names};
use url::Url;

/// As given.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct TasksArgs {
    /// Who calls the worker: direct, the poll itself; or tasks, Cloud Tasks, by one named task an object [default: direct]
    #[arg(long, env = names::DISPATCH, value_name = "MODE")]
    pub dispatch: Option<String>,
    /// With --dispatch tasks: the queue
    #[arg(long, env = names::TASKS_QUEUE, value_name = "projects/P/locations/L/queues/Q")]
    pub tasks_queue: Option<String>,
    /// With --dispatch tasks: the service account whose ID token comes with each task
    #[arg(long, env = names::TASKS_ACCOUNT, value_name = "EMAIL")]
    pub tasks_account: Option<String>,
    /// With --dispatch tasks: an emulator's address [default: Cloud Tasks itself]
    #[arg(long, env = names::TASKS_ENDPOINT, value_name = "URL")]
    pub tasks_endpoint: Option<String>,
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

const QUEUE_FORM: &str = "a queue's whole name, projects/P/locations/L/queues/Q";
const ACCOUNT_FORM: &str = "a service account's email";
const ENDPOINT_FORM: &str =
    "https://HOST, or http://127.0.0.1:PORT for an emulator on this machine";

impl TasksArgs {
    /// Resolves them, and notes every problem. The outer option is empty when there was one.
    #[allow(
        clippy::option_option,
        reason = "direct dispatch and a problem are two things"
    )]
    pub(crate) fn resolve(&self, problems: &mut Problems) -> Option<Option<TasksSettings>> {
        let dispatch = self.dispatch.as_deref();
        let is_tasks = problems.or(names::DISPATCH, dispatch, false, "direct or tasks", mode)?;
        if !is_tasks {
            return self.unused(problems).then_some(None);
        }
        let queue = self.tasks_queue.as_deref();
        let queue = problems.required(names::TASKS_QUEUE, queue, QUEUE_FORM, queue_name);
        let account = self.tasks_account.as_deref();
        let account = problems.required(names::TASKS_ACCOUNT, account, ACCOUNT_FORM, email);
        let endpoint = self.tasks_endpoint.as_deref();
        let endpoint = problems.optional(names::TASKS_ENDPOINT, endpoint, ENDPOINT_FORM, address);
        Some(Some(TasksSettings {
            queue: queue?,
            account: account?,
            endpoint: endpoint?,
        }))
    }

    /// A queue that nobody uses is most likely a missing `BRIGADE_DISPATCH`.
    fn unused(&self, problems: &mut Problems) -> bool {
        let given = self.tasks_queue.as_deref().unwrap_or_default();
        if given.trim().is_empty() {
            return true;
        }
        problems.push(Problem::Conflict {
            setting: names::TASKS_QUEUE,
            why: format!(
                "nothing is put into it; set {}=tasks, or remove it",
                names::DISPATCH
            ),
        });
        false
    }
}

fn mode(given: &str) -> Result<bool, &'static str> {
    match given {
        "direct" => Ok(false),
        "tasks" => Ok(true),
        _ => Err(""),
    }
}

fn queue_name(given: &str) -> Result<String, &'static str> {
    let parts: Vec<&str> = given.split('/').collect();
    match parts.as_slice() {
        ["projects", project, "locations", location, "queues", queue]
            if ![project, location, queue]
                .iter()
                .any(|part| part.is_empty()) =>
        {
            Ok(given.to_owned())
        }
        _ => Err(""),
    }
}

fn email(given: &str) -> Result<String, &'static str> {
    match given.split_once('@') {
        Some((name, domain)) if !name.is_empty() && domain.contains('.') => Ok(given.to_owned()),
        _ => Err(""),
    }
}

fn address(given: &str) -> Result<Url, String> {
    let url = Url::parse(given).map_err(|error| error.to_string())?;
    if matches!(url.scheme(), "http" | "https") && is_confidential(&url) {
        Ok(url)
    } else {
        Err("a token could be read on its way there".into())
    }
}
