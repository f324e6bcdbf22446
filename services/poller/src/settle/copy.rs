//! Settling into another bucket: copy, then delete the source, each fenced.

use brigade_storage::{Bucket, Error, Kind, Metadata, Object, RewriteStep};

use super::{Placement, source};
use crate::{
    mark,
    retry::{Backoff, is_conflict, leaves_open, live_object},
};

/// Copies `object` to `name` in `to`, then deletes it at its source. Nothing when another object is at that name.
/// `metadata` has [`mark::copied`], and what else the copy gets.
///
/// The copy names the generation that it was made of, so that one left by a crash is found, and completed instead of
/// doubled. A large object takes several calls, and nothing is visible before the last: a call that failed is repeated
/// with its token. A token that is refused begins the copy again, once.
pub(crate) async fn copy(
    from: &dyn Bucket,
    object: &Object,
    to: &dyn Bucket,
    name: &str,
    metadata: &Metadata,
) -> Result<Option<Placement>, Error> {
    let mut token: Option<String> = None;
    let mut began_again = false;
    let mut backoff = Backoff::new();
    loop {
        let step = from.rewrite(object.pinned(), to.name(), name, Some(metadata), token.as_deref());
        let error = match step.await {
            Ok(RewriteStep::Done(copy)) => {
                return remove_source(from, object, &copy).await.map(Some);
            }
            Ok(RewriteStep::More(next)) => {
                token = Some(next);
                backoff = Backoff::new();
                continue;
            }
            Err(error) => error.on_the_way_to(to.name(), name),
        };
        if error.is_held() {
            return Ok(Some(Placement::Held(error.to_string())));
        }
        if token.is_some() && error.is_transient() {
            backoff.wait(error).await?;
            continue;
        }
        let refused = token.take_if(|_| is_conflict(&error) || *error.kind() == Kind::Invalid);
        if refused.is_none() && !leaves_open(&error) {
            return Err(error);
        }
        if source(from, object).await?.is_none() {
            return Ok(Some(Placement::Superseded));
        }
        match live_object(to, name).await? {
            Some(there) if mark::is_copy_of(&there, object) => {
                return remove_source(from, object, &there).await.map(Some);
            }
            Some(_) => return Ok(None),
            None if refused.is_some() && began_again => return Err(error),
            None => backoff.wait(error).await?,
        }
        began_again |= refused.is_some();
    }
}

/// Deletes the source once its copy exists.
///
/// If the source is gone, the copy stays: it may be the only one left. A source that was uploaded again stays, and is
/// processed in its turn. If a hold keeps the source, the copy stays too: another poller may rely on it already. The next
/// poll that may move the source finds the copy, and completes it.
pub(super) async fn remove_source(
    from: &dyn Bucket,
    object: &Object,
    copy: &Object,
) -> Result<Placement, Error> {
    let mut backoff = Backoff::new();
    loop {
        match from.delete(object.pinned()).await {
            Ok(()) => return Ok(Placement::Moved(copy.uri())),
            Err(error) if error.is_held() => return Ok(Placement::Held(error.to_string())),
            Err(error) if is_conflict(&error) => return Ok(Placement::Moved(copy.uri())),
            Err(error) if !error.is_transient() => return Err(error),
            Err(error) => backoff.wait(error).await?,
        }
    }
}
