//! The names of the local system, and its services' settings: the emulator's addresses, and else those of a deployment.

use std::time::Duration;

use brigade_client::identity::{Cached, MetadataServer, origin};
use brigade_emulator::{Emulator, identity::ISSUER};
use brigade_poller::{
    config::Budgets,
    settings::{PollerArgs, PollerSettings},
};
use brigade_runtime::{
    exit::Failure,
    guard::{GuardSettings, Mode},
    settings::{Problems, from_flags, names},
};
use brigade_storage::{Location, gcs::GcsSettings};
use brigade_worker::{Taken, WorkerSettings};
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

/// The poller waits a little longer than the worker takes, so that it receives the status of a program that was stopped.
const MARGIN: Duration = Duration::from_secs(10);
/// With `push`, polls leave alone the files whose event is on its way.
const PUSH_AGE: Duration = Duration::from_secs(10);

pub(super) fn storage(emulator: &Emulator) -> GcsSettings {
    GcsSettings::emulator(origin(&emulator.url()))
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
        rights: Vec::new(),
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

/// The settings of both services, but for the addresses.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) poller: PollerSettings,
    pub(super) worker: WorkerSettings,
}

impl Settings {
    /// The defaults of a deployment, but for the places, the times and what is given. Notes every problem.
    pub(super) fn resolve(args: &Args, problems: &mut Problems) -> Option<Self> {
        let exec = args.exec.resolve(problems);
        let job = args.job.resolve(problems);
        let poller = poller(args, problems);
        let (exec, (output_name, output_taken, max_size), mut poller) = (exec?, job?, poller?);
        let config = &mut poller.config;
        let worker = WorkerSettings {
            exec,
            output: Some(Location::new(BUCKET, OUTPUT)),
            output_name,
            output_taken,
            concurrency: args.poll.has_concurrency().then_some(config.budgets.concurrency),
            timeout: config.budgets.process_timeout,
            max_size,
        };
        if args.worker.is_some() {
            check_elsewhere(&worker, problems);
        } else {
            // The poller knows the worker here, and hands it no more objects than it takes.
            config.budgets.concurrency = worker.concurrency();
        }
        if args.push && config.poll_min_age.is_zero() {
            config.poll_min_age = PUSH_AGE;
        }
        // Both may be longer than those of a deployment. A call that could not end before the deadline is not begun.
        let budgets = &mut config.budgets;
        budgets.process_timeout = worker.timeout.saturating_add(MARGIN);
        if budgets.poll_deadline == Budgets::default().poll_deadline {
            let both = budgets.process_timeout.saturating_mul(2);
            budgets.poll_deadline = budgets.poll_deadline.max(both);
        }
        Some(Self { poller, worker })
    }
}

/// The worker's address is known later, unless it runs elsewhere.
fn poller(args: &Args, problems: &mut Problems) -> Option<PollerSettings> {
    let mut worker = args.worker.as_ref().map_or("http://127.0.0.1/", Url::as_str);
    let at = args.worker.as_ref().map(origin).unwrap_or_default();
    if args.poll.is_grpc() && args.worker.as_ref().is_some_and(brigade_client::has_path) {
        let why = format!(
            "{worker} has a path or a query, and gRPC calls an origin; fix: set it to {at}, or --worker-protocol to http if the worker takes a POST there"
        );
        problems.conflict("--worker", why);
        worker = &at;
    }
    let places = [format!("--inbox=gs://{BUCKET}/{INBOX}"), format!("--worker-url={worker}")];
    let places = places.each_ref().map(String::as_str);
    let mut poller: PollerArgs = from_flags(&places).expect("every value is checked later");
    poller.poll = args.poll.clone();
    poller.resolve(problems)
}

/// What a worker that another program starts would not know of.
fn check_elsewhere(worker: &WorkerSettings, problems: &mut Problems) {
    let WorkerSettings { exec, output_name, output_taken, max_size, .. } = worker;
    let given = [
        (exec.is_some(), names::EXEC),
        (output_name.is_some(), names::OUTPUT_NAME),
        (*output_taken != Taken::default(), names::OUTPUT_TAKEN),
        (max_size.is_some(), names::MAX_SIZE),
    ];
    for (_, setting) in given.into_iter().filter(|(is_given, _)| *is_given) {
        problems.conflict(
            setting,
            "the worker that --worker names takes its own settings; set it there, or leave out --worker",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_poller_does_not_list_the_workers_outputs() {
        assert!(!OUTPUT.starts_with(INBOX), "a poll would find its own worker's outputs");
    }
}
