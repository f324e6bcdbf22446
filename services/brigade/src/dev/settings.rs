//! The names of the local system, and its services' settings: the emulator's addresses, and else those of a deployment.

use std::time::Duration;

use brigade_client::identity::{Cached, MetadataServer, origin};
use brigade_emulator::{Emulator, identity::ISSUER};
use brigade_poller::settings::{PollerArgs, PollerSettings};
use brigade_runtime::{
    exit::Failure,
    guard::{GuardSettings, Mode},
    settings::{Problems, from_flags, names},
};
use brigade_storage::gcs::{Credentials, GcsSettings};
use url::Url;

use super::Args;

/// The bucket that the directory stands for.
pub(super) const BUCKET: &str = "brigade-dev";
/// Where files come from.
pub(super) const INBOX: &str = "incoming/";
/// Where the worker's outputs go.
pub(super) const OUTPUT: &str = "features/";
pub(super) const POLLER: &str = "poller@brigade-dev.iam.gserviceaccount.com";
pub(super) const SCHEDULER: &str = "scheduler@brigade-dev.iam.gserviceaccount.com";
pub(super) const PUBSUB: &str = "pubsub@brigade-dev.iam.gserviceaccount.com";
pub(super) const DEVELOPER: &str = "developer@brigade-dev.iam.gserviceaccount.com";
pub(super) const POLLER_CALLERS: [&str; 3] = [SCHEDULER, PUBSUB, DEVELOPER];
/// The worker's front end requires `run.invoker` of its callers, and its guard checks them again.
pub(super) const WORKER_CALLERS: [&str; 2] = [POLLER, DEVELOPER];

pub(super) const PROGRAM_TIMEOUT: Duration = Duration::from_secs(600);
const MIN_POLL_DEADLINE: Duration = Duration::from_secs(600);
/// The poller waits a little longer than the worker takes, so that it receives the status of a program that was stopped.
const MARGIN: Duration = Duration::from_secs(10);
/// With `push`, polls leave alone the files whose event is on its way.
const PUSH_AGE: &str = "--poll-min-age=10s";

pub(super) fn storage(emulator: &Emulator) -> GcsSettings {
    let endpoint = Some(emulator.url().to_string().trim_end_matches('/').to_owned());
    GcsSettings {
        grpc_endpoint: endpoint.clone(),
        json_endpoint: endpoint,
        credentials: Credentials::Anonymous,
    }
}

pub(super) fn identity(emulator: &Emulator, account: &str) -> Cached<MetadataServer> {
    Cached::new(MetadataServer::new(Some(emulator.url().authority())).for_account(account))
}

pub(super) fn guard(
    emulator: &Emulator,
    mode: Mode,
    service: &Url,
    callers: &[&str],
) -> Result<GuardSettings, Failure> {
    Ok(GuardSettings {
        mode,
        audiences: vec![origin(service)],
        allowed_callers: callers.iter().copied().map(str::to_owned).collect(),
        issuers: vec![ISSUER.to_owned()],
        jwks_url: jwks_url(emulator)?,
    })
}

/// The address that the emulator gives to any other program.
fn jwks_url(emulator: &Emulator) -> Result<Url, Failure> {
    let variables = emulator.env();
    let given = variables.iter().find(|(name, _)| name == names::JWKS_URL);
    Url::parse(given.map_or("", |(_, url)| url))
        .map_err(|error| Failure::unavailable(format!("the emulator's keys: {error}"), ""))
}

/// The defaults of a deployment, but for the places, the times and which files are left out.
pub(super) fn poller_settings(
    worker: &Url,
    timeout: Duration,
    given: &Args,
) -> Result<PollerSettings, Failure> {
    let (inbox, worker) =
        (format!("--inbox=gs://{BUCKET}/{INBOX}"), format!("--worker-url={worker}"));
    let mut flags = vec![inbox.as_str(), &worker];
    flags.extend(given.push.then_some(PUSH_AGE));
    let args: PollerArgs = from_flags(&flags).map_err(|error| Failure::usage(error, ""))?;
    let mut problems = Problems::default();
    let settings = args.resolve(&mut problems);
    let mut settings = problems.into_settings(settings)?;
    let config = &mut settings.config;
    for (glob, flag) in [(&given.matching, "--match"), (&given.exclude, "--exclude")] {
        let fits = glob.as_ref().map_or(Ok(()), |glob| glob.check_below(&config.inbox));
        fits.map_err(|why| Failure::usage(format!("{flag}: {why}"), ""))?;
    }
    config.matching.clone_from(&given.matching);
    config.exclude.clone_from(&given.exclude);
    config.skip_empty = given.skip_empty;
    // Both may be longer than those of a deployment. A call that could not end before the deadline is not begun.
    let process_timeout = timeout.saturating_add(MARGIN);
    config.budgets.process_timeout = process_timeout;
    config.budgets.poll_deadline = process_timeout.saturating_mul(2).max(MIN_POLL_DEADLINE);
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_poller_does_not_list_the_workers_outputs() {
        assert!(!OUTPUT.starts_with(INBOX), "a poll would find its own worker's outputs");
    }
}
