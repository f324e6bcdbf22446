//! What the services are told: the stand-in's addresses, and the settings that a deployment would have.

use std::time::Duration;

use brigade_client::identity::MetadataServer;
use brigade_emulator::{Emulator, identity::ISSUER};
use brigade_poller::settings::{PollerArgs, PollerSettings};
use brigade_runtime::{
    exit::Failure,
    guard::{GuardSettings, Mode},
    settings::{Problems, from_flags, names},
};
use brigade_storage::gcs::{Credentials, GcsSettings};
use url::Url;

use super::system::BUCKET;
use crate::setup;

pub(super) fn storage(emulator: &Emulator) -> GcsSettings {
    let endpoint = Some(emulator.url().to_string().trim_end_matches('/').to_owned());
    GcsSettings {
        grpc_endpoint: endpoint.clone(),
        json_endpoint: endpoint,
        credentials: Credentials::Anonymous,
    }
}

pub(super) fn metadata(emulator: &Emulator, account: &str) -> MetadataServer {
    MetadataServer::new(Some(emulator.url().authority())).for_account(account)
}

pub(super) fn guard(
    emulator: &Emulator,
    service: &Url,
    callers: &[&str],
) -> Result<GuardSettings, Failure> {
    let jwks_url = jwks_url(emulator)?;
    Ok(GuardSettings {
        mode: Mode::Verify,
        audiences: vec![brigade_client::identity::origin(service)],
        allowed_callers: callers.iter().map(|caller| (*caller).to_owned()).collect(),
        issuers: vec![ISSUER.to_owned()],
        jwks_url,
    })
}

/// The same address that the stand-in gives to any other program.
fn jwks_url(emulator: &Emulator) -> Result<Url, Failure> {
    let variables = emulator.env();
    let given = variables
        .iter()
        .find(|(name, _)| name == names::JWKS_URL)
        .map_or("", |(_, url)| url);
    Url::parse(given)
        .map_err(|error| Failure::unavailable(format!("the stand-in's keys: {error}"), ""))
}

pub(super) const PROGRAM_TIMEOUT: Duration = Duration::from_secs(600);
const MIN_POLL_DEADLINE: Duration = Duration::from_secs(600);
/// The poller waits a little longer than the worker takes, so that it receives the status of a program that was stopped.
const MARGIN: Duration = Duration::from_secs(10);
/// With `push`, polls leave alone the files whose event is on its way.
const PUSH_AGE: &str = "--min-age=10s";

/// The defaults of a deployment, but for the places and times.
pub(super) fn poller_settings(
    worker: &Url,
    timeout: Duration,
    push: bool,
) -> Result<PollerSettings, Failure> {
    let process_timeout = timeout.saturating_add(MARGIN);
    // A call that could not end before the deadline is not begun.
    let deadline = process_timeout.saturating_mul(2).max(MIN_POLL_DEADLINE);
    let flags = [
        format!("--inbox=gs://{BUCKET}/incoming/"),
        format!("--worker-url={worker}"),
    ];
    let mut flags: Vec<_> = flags.iter().map(String::as_str).collect();
    flags.extend(push.then_some(PUSH_AGE));
    let args: PollerArgs = from_flags(&flags).map_err(|error| Failure::usage(error, ""))?;
    let mut problems = Problems::default();
    let settings = args.resolve(&mut problems);
    problems.into_result()?;
    let mut settings = settings.ok_or_else(setup::incomplete)?;
    // Both may be longer than those of a deployment.
    settings.config.budgets.process_timeout = process_timeout;
    settings.config.budgets.poll_deadline = deadline;
    Ok(settings)
}
