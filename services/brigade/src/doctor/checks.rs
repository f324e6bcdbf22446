//! One function a check. Each returns what it found, or the failure and its fix.

use std::time::Duration;

use brigade_client::identity::TokenSource;
use brigade_poller::{
    dispatch::Worker,
    filter::CONTROL_PREFIX,
    verdict::{Doubt, Refusal, Verdict, verdict},
};
use brigade_proto::v1::ProcessRequest;
use brigade_runtime::exit::Failure;
use brigade_storage::{Bucket, Error, Kind, ListRequest, NewObject, Page, Pinned};
use jiff::Timestamp;

use crate::outcome::failure;

/// For the worker's answer: longer than a cold start.
const WORKER_TIMEOUT: Duration = Duration::from_secs(60);

/// The account that the token for the worker names.
pub(super) async fn token(identity: &dyn TokenSource, audience: &str) -> Result<String, Failure> {
    let token = identity.fetch(audience).await.map_err(failure)?;
    let email = token.claims().and_then(|claims| claims.email);
    email.ok_or_else(|| {
        Failure::permission(
            format!("the token for {audience} names no account"),
            "set BRIGADE_IMPERSONATE: a service account's token names its email, a user's own does not",
        )
    })
}

/// Sends the worker a request without an object. A worker that admits this account and serves the contract refuses it
/// with a status of its own.
pub(super) async fn worker(worker: &dyn Worker) -> Result<String, Failure> {
    let answer = worker.process(ProcessRequest::default(), WORKER_TIMEOUT);
    match verdict(answer.await) {
        Verdict::Processed(_) => Ok("it answers, and accepts even a request without object".into()),
        Verdict::Failed(Refusal { reason, .. }) => {
            Ok(format!("it admits this account and returns a status of its own ({reason})"))
        }
        Verdict::Retry(retry) => Err(Failure::unavailable(
            retry.why,
            "check that the worker is running and that WORKER_URL points to it",
        )),
        Verdict::Doubtful(Doubt { stop, .. }) | Verdict::Stop(stop) => {
            Err(Failure::permission(stop.why, stop.hint))
        }
    }
}

/// Lists one object.
pub(super) async fn inbox(bucket: &dyn Bucket, prefix: &str) -> Result<String, Failure> {
    let needs = "storage.objects.list on the bucket";
    let page = first(bucket, prefix).await.map_err(|error| storage_failure(&error, needs))?;
    Ok(match page.objects.first() {
        Some(object) => format!("it can be listed; it has {:?} and maybe more", object.name),
        None => "it can be listed; it is empty".to_owned(),
    })
}

/// Writes, replaces and removes a small object beside the lease, which needs the lease's permissions.
pub(super) async fn lease(bucket: &dyn Bucket, prefix: &str) -> Result<String, Failure> {
    let now = Timestamp::now().as_nanosecond();
    let name = format!("{CONTROL_PREFIX}{prefix}doctor-{now}");
    let needs = "storage.objects.create, get and delete below .brigade/";
    let failed = |error: Error| storage_failure(&error, needs);
    let write = |generation| bucket.create(&name, generation, NewObject::default());
    let first = write(0).await.map_err(failed)?;
    let second = write(first.generation).await;
    let last = second.as_ref().map_or(first.generation, |it| it.generation);
    let own = Pinned { name: &name, generation: last };
    let removed = bucket.delete(own).await;
    second.map_err(failed)?;
    removed.map_err(failed)?;
    Ok("it can be taken, renewed and released".to_owned())
}

/// Reads a name that does not exist, and lists one object, which a poll does not need. Without the permission to list, Cloud
/// Storage answers 403 about such a name too. Only a move shows whether an object can be created there.
pub(super) async fn destination(bucket: &dyn Bucket, prefix: &str) -> Result<String, Failure> {
    let name = format!("{prefix}{}", Timestamp::now().as_nanosecond());
    let (read, listed) = (bucket.get(&name).await, first(bucket, prefix).await);
    let place = format!("gs://{}/{prefix}", bucket.name());
    match (listed, read) {
        (Err(error), _) if *error.kind() == Kind::PermissionDenied => Ok(format!(
            "{place} cannot be listed, so whether it can be read was not checked; for this, and for brigade status and \
             failed, grant this account storage.objects.list on the bucket"
        )),
        (Err(error), _) => Err(storage_failure(&error, "")),
        (Ok(_), Err(error)) if !error.is_not_found() => {
            Err(storage_failure(&error, "storage.objects.create and get at the destinations"))
        }
        (Ok(_), _) => Ok(format!("{place} can be read and listed")),
    }
}

/// A page of at most one object.
async fn first(bucket: &dyn Bucket, prefix: &str) -> brigade_storage::Result<Page> {
    let request = ListRequest { prefix: prefix.to_owned(), page_size: 1, ..ListRequest::default() };
    bucket.list(&request).await
}

pub(crate) fn storage_failure(error: &Error, needs: &str) -> Failure {
    match error.kind() {
        Kind::PermissionDenied | Kind::Unauthenticated => {
            Failure::permission(error, format!("grant this account {needs}"))
        }
        Kind::NoBucket | Kind::Invalid => Failure::usage(error, "correct the setting"),
        Kind::NotFound
        | Kind::Precondition
        | Kind::Held
        | Kind::Encrypted
        | Kind::Busy { .. }
        | Kind::Unknown => Failure::unavailable(error, ""),
    }
}
