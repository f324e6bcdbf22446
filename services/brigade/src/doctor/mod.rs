//! `brigade doctor`: checks every wire of a poller, as the account that this environment has, and names the first mend.
//!
//! It takes the poller's settings and changes nothing but one small object of its own below the lease's prefix, which it
//! removes again. On Cloud Run it is a job with the poller's image, account and variables.

mod checks;
mod finding;

use std::{io::IsTerminal as _, sync::Arc};

use brigade_client::{
    WorkerClient,
    identity::{TokenSource, origin},
};
use brigade_poller::settings::{PollerArgs, PollerSettings};
use brigade_runtime::{
    exit::{Exit, Failure},
    telemetry::{self, Format},
};
use brigade_storage::Store;

use self::finding::{Finding, Report};
use crate::{outcome, setup};

/// The arguments.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    poller: PollerArgs,
    /// One JSON object a line on stdout, as when it is piped
    #[arg(long)]
    json: bool,
}

/// Checks one thing after another, whatever came of the one before, and ends with the code of the first that failed.
pub async fn run(args: &Args) -> Result<Exit, Failure> {
    telemetry::init(Format::for_stderr(), "error");
    let json = args.json || !std::io::stdout().is_terminal();
    let mut report = Report::on_stdout(json);
    let Some(settings) = report.add("settings", resolve(args)) else {
        return Ok(report.end());
    };
    let identity = setup::identity();
    if let Some(identity) = report.take("credentials", identity, TokenSource::describe) {
        of_worker(&mut report, &settings, identity).await;
    }
    let store = setup::store().await;
    if let Some(store) = report.take("storage", store, |_| "Cloud Storage has credentials".into()) {
        of_bucket(&mut report, &settings, &*store).await;
    }
    Ok(report.end())
}

fn resolve(args: &Args) -> Result<(PollerSettings, Finding), Failure> {
    let mut problems = setup::problems();
    let settings = args.poller.resolve(&mut problems);
    problems.into_result()?;
    let settings = settings.ok_or_else(setup::incomplete)?;
    let said = format!("{} to {}", settings.config.inbox, settings.worker_url);
    Ok((settings, Finding::new(said)))
}

async fn of_worker(report: &mut Report, settings: &PollerSettings, identity: Arc<dyn TokenSource>) {
    let audience = settings.worker_audience.as_deref();
    let asked = audience.map_or_else(|| origin(&settings.worker_url), str::to_owned);
    report.note("token", checks::token(&*identity, &asked).await);
    let worker = WorkerClient::new(&settings.worker_url, Some(identity), audience);
    let worker = worker.map_err(|error| outcome::connect(&error));
    if let Some(worker) = report.take("client", worker, |_| format!("tokens are for {asked}")) {
        report.note("worker", checks::worker(&worker).await);
    }
}

async fn of_bucket(report: &mut Report, settings: &PollerSettings, store: &dyn Store) {
    let inbox = store.bucket(&settings.config.inbox.bucket);
    report.note(
        "inbox",
        checks::inbox(&*inbox, &settings.config.inbox.prefix).await,
    );
    report.note(
        "lease",
        checks::lease(&*inbox, &settings.config.inbox.prefix).await,
    );
    for (name, place) in [
        ("processed", settings.config.processed.fixed()),
        ("failed", settings.config.failed.fixed()),
    ] {
        let bucket = store.bucket(&place.bucket);
        report.note(name, checks::destination(&*bucket, &place.prefix).await);
    }
}
