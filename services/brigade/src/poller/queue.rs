//! The queue that polls put objects into.

use std::sync::Arc;

use brigade_client::identity::origin;
use brigade_poller::{
    settings::PollerSettings,
    tasks::{CloudTasks, Queue, Target, TasksSettings},
};
use brigade_runtime::{
    exit::Failure,
    guard::Mode,
    service::AuthConfig,
    settings::{Problem, Problems, names},
};
use url::Url;

use crate::outcome;

const URL_FORM: &str = "this service's own URL, which Cloud Tasks calls";

/// Notes what dispatch through Cloud Tasks needs and does not have: without these every task would be refused.
pub(super) fn check(settings: &PollerSettings, gate: &AuthConfig, problems: &mut Problems) {
    let Some(tasks) = &settings.tasks else { return };
    if gate.public_url.is_none() {
        problems.push(Problem::Missing {
            setting: names::PUBLIC_URL.into(),
            expected: URL_FORM.into(),
        });
    }
    let guard = &gate.guard;
    if guard.mode != Mode::Off && !guard.allowed_callers.contains(&tasks.account) {
        let (account, callers) = (&tasks.account, names::ALLOWED_CALLERS);
        let why = format!("tasks come with the token of {account}; add it to {callers}");
        problems.conflict(names::TASKS_ACCOUNT, why);
    }
}

/// The queue, if objects go into one.
pub(super) fn of(
    settings: &PollerSettings,
    gate: &AuthConfig,
) -> Result<Option<Arc<dyn Queue>>, Failure> {
    let Some(tasks) = &settings.tasks else {
        return Ok(None);
    };
    let target = target(settings, tasks, gate)?;
    let queue = CloudTasks::new(tasks, target).map_err(|error| outcome::tasks(&error))?;
    Ok(Some(Arc::new(queue)))
}

/// This service's own `POST /process`, with a token that its own guard takes.
fn target(
    settings: &PollerSettings,
    tasks: &TasksSettings,
    gate: &AuthConfig,
) -> Result<Target, Failure> {
    let missing = || Failure::usage(format!("{} is not set", names::PUBLIC_URL), URL_FORM);
    let own: &Url = gate.public_url.as_ref().ok_or_else(missing)?;
    let audience = gate.guard.audiences.first().cloned();
    let mut url = own.clone();
    url.set_path("/process");
    Ok(Target {
        url,
        account: tasks.account.clone(),
        audience: audience.unwrap_or_else(|| origin(own)),
        deadline: settings.config.budgets.poll_deadline,
    })
}
