//! What the services are told: the stand-in's addresses, and the settings that a deployment would have.

use std::time::Duration;

use brigade_client::identity::MetadataServer;
use brigade_emulator::{Emulator, identity::ISSUER};
use brigade_poller::{
    config::Budgets,
    settings::{PollerSettings, Protocol},
};
use brigade_runtime::{
    exit::Failure,
    guard::{GuardSettings, Mode},
    settings::names,
};
use brigade_storage::{
    Location,
    gcs::{Credentials, GcsSettings},
};
use url::Url;

use super::system::BUCKET;

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

pub(super) const TEN_MINUTES: Duration = Duration::from_secs(600);
/// The poller waits a little longer than the worker takes, so that it hears of a program that was stopped.
const MORE: Duration = Duration::from_secs(10);

/// With `push`, polls leave alone what an event is on its way for.
pub(super) fn poller_settings(worker: &Url, timeout: Duration, push: bool) -> PollerSettings {
    let process_timeout = timeout.saturating_add(MORE);
    PollerSettings {
        inbox: Location::new(BUCKET, "incoming/"),
        processed: Location::new(BUCKET, "processed/"),
        failed: Location::new(BUCKET, "failed/"),
        worker_url: worker.clone(),
        worker_audience: None,
        worker_protocol: Protocol::Grpc,
        tasks: None,
        budgets: Budgets {
            concurrency: 32,
            process_timeout,
            // What could not end before it is not begun.
            poll_deadline: process_timeout.saturating_mul(2).max(TEN_MINUTES),
            max_attempts: 5,
            breaker: 5,
            max_objects: None,
        },
        min_age: if push {
            Duration::from_secs(10)
        } else {
            Duration::ZERO
        },
        matching: None,
    }
}
