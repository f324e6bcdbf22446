//! `brigade doctor`: checks every connection of a poller, as the account that this environment has, and names the first
//! fix.
//!
//! It takes the poller's settings and changes nothing but one small object of its own below the lease's prefix, which it
//! removes again. On Cloud Run it is a job with the poller's image, account and variables.

mod checks;
mod report;
mod updaters;

use std::{collections::BTreeMap, fmt::Write as _, io::IsTerminal as _, sync::Arc};

use brigade_client::{identity::TokenSource, proxy_of};
use brigade_poller::settings::{PollerSettings, WorkerAuth};
use brigade_runtime::{
    exit::{Exit, Failure},
    guard::Mode,
    service::AuthConfig,
    settings::Problems,
    telemetry::{self, Format},
};
use brigade_storage::{Store as _, gcs::GcsStore};

pub(crate) use self::checks::storage_failure;
use self::report::Report;
use crate::{poller, setup};

/// The arguments.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    poller: poller::Args,
    /// Print one JSON object a line on stdout, as when stdout is no terminal
    #[arg(long)]
    json: bool,
}

/// Runs every check, whatever the others found, and ends with the code of the first that failed.
pub async fn run(args: &Args, mut problems: Problems) -> Result<Exit, Failure> {
    telemetry::init(Format::for_stderr(), "error");
    let json = args.json || !std::io::stdout().is_terminal();
    let mut report = Report::on_stdout(json);
    let settings = args.poller.settings(&mut problems).map(|(settings, _)| settings);
    let callers = check_callers(&args.poller.elsewhere(), settings.as_ref());
    let settings = problems.into_settings(settings).map_err(Failure::from);
    let from_to =
        |given: &PollerSettings| format!("{} to {}", given.config.inbox, given.worker_url);
    let settings = report.add("settings", settings, from_to);
    report.note("callers", callers);
    let Some(settings) = settings else {
        return Ok(report.end());
    };
    let identity = setup::identity();
    let mut account = None;
    if let Some(identity) = report.add("credentials", identity, TokenSource::describe) {
        account = check_worker(&mut report, &settings, identity).await;
    }
    let store = setup::store().await;
    if let Some(store) = report.add("storage", store, |_| "Cloud Storage has credentials".into()) {
        check_bucket(&mut report, &settings, &store, account.as_deref()).await;
    }
    Ok(report.end())
}

/// Who may call the poller, by the settings that it would refuse at its start.
fn check_callers(
    args: &poller::Args,
    settings: Option<&PollerSettings>,
) -> Result<String, Failure> {
    let mut problems = Problems::default();
    let callers = args.callers(&mut problems);
    if let (Some((_, auth)), Some(settings)) = (&callers, settings) {
        poller::queue::check(settings, auth, &mut problems);
    }
    let (address, AuthConfig { guard, .. }) = problems.into_settings(callers)?;
    let mode = match guard.mode {
        Mode::Off => return Ok(format!("no token is checked on {address}")),
        Mode::Verify => "signatures are checked",
        Mode::Platform => "Cloud Run's front end checks signatures",
    };
    let (audiences, emails) = (guard.audiences.join(", "), guard.allowed_callers.join(", "));
    let mut all = format!("{emails}, with a token for {audiences}; {mode}");
    let rights = guard.rights.iter().filter(|right| !right.emails.is_empty());
    for (setting, emails) in
        rights.map(|right| (right.setting, &right.emails)).collect::<BTreeMap<_, _>>()
    {
        let _ = write!(all, "; {setting}: {}", emails.join(", "));
    }
    Ok(all)
}

/// The account that this environment has, where a token names it.
async fn check_worker(
    report: &mut Report,
    settings: &PollerSettings,
    identity: Arc<dyn TokenSource>,
) -> Option<String> {
    let url = &settings.worker_url;
    let mut account = None;
    let audience = settings.audience();
    let tokens = match settings.worker_auth {
        WorkerAuth::Google => {
            let token = checks::token(&*identity, &audience).await;
            account = report.add("token", token, |email| format!("{email}, for {audience}"));
            format!("tokens are for {audience}")
        }
        WorkerAuth::None => "no token is sent, as BRIGADE_WORKER_AUTH says".to_owned(),
    };
    let proxy = proxy_of(url).map(|proxy| format!(", calls go through the proxy {proxy}"));
    let worker = poller::worker(settings, identity);
    let found = format!("{tokens}{}", proxy.unwrap_or_default());
    if let Some(worker) = report.add("client", worker, |_| found) {
        report.note("worker", checks::worker(&*worker).await);
    }
    account
}

async fn check_bucket(
    report: &mut Report,
    settings: &PollerSettings,
    store: &GcsStore,
    account: Option<&str>,
) {
    let (bucket, prefix) = (&settings.config.inbox.bucket, &settings.config.inbox.prefix);
    let inbox = store.bucket(bucket);
    report.note("inbox", checks::inbox(&*inbox, prefix).await);
    report.note("lease", checks::lease(&*inbox, prefix).await);
    for (name, place) in [
        ("processed", settings.config.processed.fixed()),
        ("failed", settings.config.failed.fixed()),
    ] {
        let bucket = store.bucket(&place.bucket);
        report.note(name, checks::destination(&*bucket, &place.prefix).await);
    }
    report.note("updaters", Ok(updaters::updaters(store, bucket, account).await));
}
