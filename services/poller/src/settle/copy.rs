//! Settling into another bucket: copy, then delete the source, each fenced.

use brigade_storage::{Bucket, Error, Object, Operation, RewriteStep};

use super::{
    Placement, all_taken,
    look::{self, Source},
};
use crate::{mark, retry::Backoff};

/// The result of one try at one name.
enum Try {
    /// Done with this object.
    Settled(Placement),
    /// Another object is at that name: try the next one.
    Taken,
}

/// Copies `object` to the first of `names` that is free in `to`, then deletes it at its source.
///
/// The copy names the generation that it was made of, so that one left by a crash is found, and completed instead of
/// doubled.
pub(super) async fn copy(
    from: &dyn Bucket,
    object: &Object,
    to: &dyn Bucket,
    names: impl Iterator<Item = String> + Send,
) -> Result<Placement, Error> {
    for name in names {
        match try_name(from, object, to, &name).await? {
            Try::Settled(placement) => return Ok(placement),
            Try::Taken => {}
        }
    }
    Err(all_taken(object, Operation::Rewrite))
}

async fn try_name(
    from: &dyn Bucket,
    object: &Object,
    to: &dyn Bucket,
    name: &str,
) -> Result<Try, Error> {
    let mut backoff = Backoff::new();
    loop {
        let error = match rewrite(from, object, to, name).await {
            Ok(copy) => return remove_source(from, object, &copy).await,
            Err(error) => error,
        };
        if error.is_held() {
            return Ok(Try::Settled(Placement::Held(error.to_string())));
        }
        let conflict = error.is_precondition() || error.is_not_found();
        if !conflict && !error.is_transient() {
            return Err(error);
        }
        if let Source::Gone = look::source(from, object).await? {
            return Ok(Try::Settled(Placement::Superseded));
        }
        if let Some(there) = look::object_at(to, name).await? {
            if mark::is_copy_of(&there, object) {
                return remove_source(from, object, &there).await;
            }
            return Ok(Try::Taken);
        }
        backoff.wait(error).await?;
    }
}

/// Runs a rewrite to its end; large objects take several calls.
async fn rewrite(
    from: &dyn Bucket,
    object: &Object,
    to: &dyn Bucket,
    name: &str,
) -> Result<Object, Error> {
    let metadata = mark::copied(object);
    let mut token = None;
    loop {
        let step = from
            .rewrite(
                object.pinned(),
                to.name(),
                name,
                Some(&metadata),
                token.as_deref(),
            )
            .await
            .map_err(|error| error.on_the_way_to(to.name(), name))?;
        match step {
            RewriteStep::Done(copy) => return Ok(*copy),
            RewriteStep::More(next) => token = Some(next),
        }
    }
}

/// Deletes the source once its copy exists.
///
/// If the source is gone, the copy stays: it may be the only one left. A source that was uploaded again stays, and is
/// processed in its turn. If a hold keeps the source, the copy stays too: another poller may rely on it already. The next
/// poll that may move the source finds the copy, and completes it.
async fn remove_source(from: &dyn Bucket, object: &Object, copy: &Object) -> Result<Try, Error> {
    let moved = || Try::Settled(Placement::Moved(copy.uri()));
    let mut backoff = Backoff::new();
    loop {
        let error = match from.delete(object.pinned()).await {
            Ok(()) => return Ok(moved()),
            Err(error) => error,
        };
        if error.is_held() {
            return Ok(Try::Settled(Placement::Held(error.to_string())));
        }
        if error.is_precondition() || error.is_not_found() {
            return Ok(moved());
        }
        if !error.is_transient() {
            return Err(error);
        }
        backoff.wait(error).await?;
    }
}
