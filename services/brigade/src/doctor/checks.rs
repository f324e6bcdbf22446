//! One function a wire. Each says what it met, or what to mend.

use std::time::Duration;

use brigade_client::{WorkerClient, identity::TokenSource};
use brigade_poller::{
    filter::CONTROL_PREFIX,
    verdict::{Verdict, verdict},
};
use brigade_proto::v1::ProcessRequest;
use brigade_runtime::exit::Failure;
use brigade_storage::{Bucket, Error, Kind, ListRequest, NewObject, Pinned};
use jiff::Timestamp;

use super::finding::Finding;
use crate::outcome;

/// For the worker's answer: longer than a cold start.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whom the token for the worker names.
pub(super) async fn token(identity: &dyn TokenSource, audience: &str) -> Result<Finding, Failure> {
    let token = identity.fetch(audience).await;
    let token = token.map_err(|error| outcome::identity(&error))?;
    let email = token.claims().and_then(|claims| claims.email);
    email
        .map(|email| Finding::new(format!("{email}, for {audience}")))
        .ok_or_else(|| {
            Failure::permission(
                format!("the token for {audience} names no account"),
                "a service account's token names its email; a user's own does not: set BRIGADE_IMPERSONATE",
            )
        })
}

/// Asks the worker about no object at all. One that lets us in and serves the contract refuses that as its own word.
pub(super) async fn worker(worker: &WorkerClient) -> Result<Finding, Failure> {
    let answer = worker.process(ProcessRequest::default(), PATIENCE).await;
    match verdict(answer) {
        Verdict::Processed(_) => Ok(Finding::new("it answers, and accepts even no object")),
        Verdict::Failed(why) => Ok(Finding::new(format!(
            "it lets us in and answers for itself ({why})"
        ))),
        Verdict::Retry(retry) => Err(Failure::unavailable(
            retry.why,
            "see that the worker runs, and that WORKER_URL is its own",
        )),
        Verdict::Stop(stop) => Err(Failure::permission(stop.why, stop.hint)),
    }
}

/// Lists one object.
pub(super) async fn inbox(bucket: &dyn Bucket, prefix: &str) -> Result<Finding, Failure> {
    let request = ListRequest {
        prefix: prefix.to_owned(),
        page_size: 1,
        ..ListRequest::default()
    };
    let page = bucket.list(&request).await;
    let page = page.map_err(|error| of_storage(&error, "storage.objects.list on the bucket"))?;
    let what = match page.objects.first() {
        Some(object) => format!("there is {:?}, and maybe more", object.name),
        None => "nothing lies there".to_owned(),
    };
    Ok(Finding::new(format!("it can be listed; {what}")))
}

/// Writes, replaces and removes a small object where the lease lies, which takes what the lease does.
pub(super) async fn lease(bucket: &dyn Bucket, prefix: &str) -> Result<Finding, Failure> {
    let name = format!(
        "{CONTROL_PREFIX}{prefix}doctor-{}",
        Timestamp::now().as_nanosecond()
    );
    let needs = "storage.objects.create, get and delete below .brigade/";
    let failed = |error: Error| of_storage(&error, needs);
    let first = bucket.create(&name, 0, NewObject::default()).await;
    let first = first.map_err(failed)?;
    let second = bucket
        .create(&name, first.generation, NewObject::default())
        .await;
    let last = second.as_ref().map_or(first.generation, |it| it.generation);
    let own = Pinned {
        name: &name,
        generation: last,
    };
    let removed = bucket.delete(own).await;
    second.map_err(failed)?;
    removed.map_err(failed)?;
    Ok(Finding::new("it can be taken, renewed and given back"))
}

/// Looks at a name that is not there. Whether something can be put there shows only when something is.
pub(super) async fn destination(bucket: &dyn Bucket, prefix: &str) -> Result<Finding, Failure> {
    let name = format!("{prefix}{}", Timestamp::now().as_nanosecond());
    match bucket.get(&name).await {
        Err(error) if !error.is_not_found() => {
            let needs = "storage.objects.create and get at the destinations";
            Err(of_storage(&error, needs))
        }
        _ => Ok(Finding::new(format!(
            "gs://{}/{prefix} can be seen",
            bucket.name()
        ))),
    }
}

fn of_storage(error: &Error, needs: &str) -> Failure {
    match error.kind() {
        Kind::PermissionDenied | Kind::Unauthenticated => {
            Failure::permission(error, format!("grant this account {needs}"))
        }
        Kind::NoBucket | Kind::Invalid => Failure::usage(error, "correct the setting"),
        Kind::NotFound | Kind::Precondition | Kind::Held | Kind::Busy { .. } | Kind::Unknown => {
            Failure::unavailable(error, "")
        }
    }
}
