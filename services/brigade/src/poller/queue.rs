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

use crate::outcome::failure;

const URL_FORM: &str = "this service's own URL, which Cloud Tasks calls";

/// Notes what dispatch through Cloud Tasks needs and the settings lack: without it every task would be refused.
pub(crate) fn check(settings: &PollerSettings, auth: &AuthConfig, problems: &mut Problems) {
    let Some(tasks) = &settings.tasks else { return };
    if auth.public_url.is_none() {
        problems.push(Problem::Missing {
            setting: names::PUBLIC_URL.into(),
            expected: URL_FORM.into(),
        });
    }
    let guard = &auth.guard;
    if guard.mode != Mode::Off && !guard.allowed_callers.contains(&tasks.account) {
        let (account, callers) = (&tasks.account, names::ALLOWED_CALLERS);
        let why = format!("tasks come with the token of {account}; add it to {callers}");
        problems.conflict(names::TASKS_ACCOUNT, why);
    }
}

/// The queue, if polls put objects into one.
pub(super) fn connect(
    settings: &PollerSettings,
    auth: &AuthConfig,
) -> Result<Option<Arc<dyn Queue>>, Failure> {
    let Some(tasks) = &settings.tasks else {
        return Ok(None);
    };
    let target = target(settings, tasks, auth)?;
    let queue = CloudTasks::new(tasks, target).map_err(failure)?;
    Ok(Some(Arc::new(queue)))
}

/// This service's own `POST /process`, with a token that its own guard accepts.
fn target(
    settings: &PollerSettings,
    tasks: &TasksSettings,
    auth: &AuthConfig,
) -> Result<Target, Failure> {
    let missing = || Failure::usage(format!("{} is not set", names::PUBLIC_URL), URL_FORM);
    let own: &Url = auth.public_url.as_ref().ok_or_else(missing)?;
    let audience = auth.guard.audiences.first().cloned();
    let mut url = own.clone();
    url.set_path("/process");
    Ok(Target {
        url,
        account: tasks.account.clone(),
        audience: audience.unwrap_or_else(|| origin(own)),
        deadline: settings.config.budgets.poll_deadline,
    })
}
