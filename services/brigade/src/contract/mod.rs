//! `brigade contract`: holds a real bucket to the storage contract, and leaves nothing there.
//!
//! It works below a random run id under a prefix that has no object, changes only generations that it made, and never the
//! bucket's settings.

mod own;
mod places;
mod report;

use std::{
    collections::BTreeSet,
    io::{self, IsTerminal as _},
    sync::Arc,
};

use brigade_contract::{self as contract, Fixture};
use brigade_runtime::{
    exit::{Exit, Failure},
    settings::Problems,
    shutdown,
    telemetry::{self, Format},
};
use brigade_storage::{Location, Operation, Pinned, Store as _, gcs::GcsStore};
use futures::FutureExt as _;

use self::{
    own::{Calls, OwnStore},
    report::Report,
};
use crate::{ask, setup};

/// About what the suite takes; a test holds it near what it takes. Cloud Storage asks to repeat a few calls more.
const EXPECTED: Calls = Calls { class_a: 400, class_b: 380, free: 160 };

/// US dollars for 1,000 calls on Archive storage in a multi-region with a hierarchical namespace, the dearest of all buckets.
///
/// Source: <https://cloud.google.com/storage/pricing>. On Standard storage in a region they are 0.005 and 0.0004.
const PRICE_A: f64 = 0.13;
const PRICE_B: f64 = 0.065;

/// The arguments.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Where to work: a prefix that has no object, and that no poller or worker uses
    #[arg(value_name = "gs://BUCKET/PREFIX/", value_parser = places::place)]
    at: Location,
    /// Copy into this bucket too, below this prefix, instead of within one bucket
    #[arg(long, value_name = "gs://OTHER/PREFIX/", value_parser = places::place)]
    to: Option<Location>,
    /// Do not ask before the first object is made
    #[arg(long)]
    yes: bool,
    /// Print one JSON object on stdout, as when stdout is no terminal
    #[arg(long)]
    json: bool,
}

/// Runs the suite, removes what it made, and tells both.
pub async fn run(args: &Args, problems: Problems) -> Result<Exit, Failure> {
    telemetry::init(Format::for_stderr(), "error");
    problems.into_settings(Some(()))?;
    let given = std::iter::once(&args.at).chain(&args.to).collect::<Vec<_>>();
    if args.to.as_ref().is_some_and(|to| to.bucket == args.at.bucket) {
        return Err(Failure::usage(
            format!("--to names the bucket {} too", args.at.bucket),
            "name another bucket, or leave out --to",
        ));
    }
    for place in &given {
        places::check_settings(place, |name| std::env::var(name).ok())?;
    }
    let store = setup::store().await?;
    for place in &given {
        places::check_empty(&*store.bucket(&place.bucket), place).await?;
    }
    if !args.yes && !confirmed(&given).await? {
        return Ok(Exit::Done);
    }
    let run = format!("contract-{}", random_id());
    let places: Vec<_> = given
        .iter()
        .map(|place| Location::new(&place.bucket, format!("{}{run}", place.prefix)))
        .collect();
    let missing = format!("brigade-no-{}", random_id());
    let own = OwnStore::new(store.clone(), places, missing.clone());
    let is_json = args.json || !io::stdout().is_terminal();
    let mut report = Report::new(is_json, &run, own.ledger().places());
    suite(&own, &store, &missing, &mut report).await;
    release_holds(&own, &store).await;
    let left = own::clean_up(&own).await;
    let keeps_versions = keeps_versions(&own).await;
    Ok(report.end(own.ledger().calls(), &left, keeps_versions))
}

/// Holds the store to every promise, until a signal ends it.
async fn suite(own: &OwnStore, store: &Arc<GcsStore>, missing: &str, report: &mut Report) {
    let [at, others @ ..] = own.ledger().places() else { return };
    let within = Location::new(&at.bucket, format!("{}there/", at.prefix));
    let to = others.first().unwrap_or(&within);
    let holder = Arc::clone(store);
    let ledger = own.clone();
    let hold = move |object: brigade_storage::Object, is_held: bool| {
        let (store, own) = (Arc::clone(&holder), ledger.clone());
        async move {
            own.ledger().count(Operation::Update);
            store.set_temporary_hold(&object, is_held).await
        }
        .boxed()
    };
    let fixture = Fixture::new(Arc::new(own.clone()), &at.bucket, &to.bucket)
        .below_prefixes(&at.prefix, &to.prefix)
        .with_missing(missing)
        .with_hold(hold);
    let shutdown = shutdown::signal();
    tokio::select! {
        () = contract::run(&fixture, |row| report.row(&row)) => {}
        () = shutdown.cancelled() => report.interrupted(),
    }
}

/// A promise about holds that broke off leaves one.
async fn release_holds(own: &OwnStore, store: &GcsStore) {
    for (bucket, name, generation) in own.ledger().live() {
        if let Ok(object) = own.bucket(&bucket).get(&name).await
            && object.temporary_hold
            && object.generation == generation
        {
            own.ledger().count(Operation::Update);
            // What stays held is told when it cannot be removed.
            let _ = store.set_temporary_hold(&object, false).await;
        }
    }
}

/// Whether a generation that is gone can still be read: noncurrent versions are kept then.
async fn keeps_versions(own: &OwnStore) -> bool {
    let Some((bucket, name, generation)) = own.ledger().gone() else { return false };
    own.bucket(&bucket).read(Pinned { name: &name, generation }, 0).await.is_ok()
}

/// Whether a person agrees to the calls and their price.
async fn confirmed(places: &[&Location]) -> Result<bool, Failure> {
    ask::check_terminal(
        "brigade contract asks before it makes objects, and there is no terminal to ask on",
        "pass --yes to run it without asking",
    )?;
    let names: BTreeSet<String> = places.iter().map(ToString::to_string).collect();
    let names: Vec<String> = names.into_iter().collect();
    ask::agrees(format!(
        "About {} would be made below {}, and every object removed again. Run?",
        cost(EXPECTED),
        names.join(" and ")
    ))
    .await
}

/// So many calls, and what they cost at most.
#[allow(clippy::cast_precision_loss, reason = "there are some hundreds")]
fn cost(calls: Calls) -> String {
    let price = (calls.class_a as f64 * PRICE_A + calls.class_b as f64 * PRICE_B) / 1_000.0;
    format!(
        "{} calls ({} Class A, {} Class B, {} free; less than ${:.2})",
        calls.class_a + calls.class_b + calls.free,
        calls.class_a,
        calls.class_b,
        calls.free,
        price + 0.01
    )
}

/// 128 bits that no other run has: a name below it is this run's.
fn random_id() -> String {
    use std::hash::{BuildHasher as _, RandomState};
    let [high, low] =
        [0, 1].map(|half: u64| RandomState::new().hash_one((half, std::process::id())));
    format!("{high:016x}{low:016x}")
}
