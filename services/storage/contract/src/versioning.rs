//! Buckets that keep versions: whatever the port replaces, deletes or moves away can still be read by its generation, and
//! is no live object any more. Kept by a store that has no such bucket for want of one.

use std::sync::Arc;

use super::{
    check::{Outcome, STALE, fails, same},
    fixture::{Fixture, copy, read, text},
};
use brigade_storage::{Bucket, ListRequest, error::Kind, object::Object};

/// An object that another took the place of.
pub async fn a_replaced_version_is_kept(fixture: &Fixture) -> Outcome {
    let Some((bucket, first)) = begin(fixture).await? else {
        return Ok(());
    };
    let second = bucket.create(&first.name, first.generation, text("second")).await?;
    kept(&*bucket, &first).await?;
    same("the live object", bucket.get(&first.name).await?, second)
}

/// An object that was deleted: its generation is a condition, and not the version to remove for good.
pub async fn a_deleted_version_is_kept(fixture: &Fixture) -> Outcome {
    let Some((bucket, first)) = begin(fixture).await? else {
        return Ok(());
    };
    bucket.delete(first.pinned()).await?;
    kept(&*bucket, &first).await?;
    gone(fixture, &*bucket, &first).await
}

/// An object that was renamed.
pub async fn a_renamed_version_is_kept(fixture: &Fixture) -> Outcome {
    let Some((bucket, first)) = begin(fixture).await? else {
        return Ok(());
    };
    let there = bucket.rename(first.pinned(), first.metageneration, &fixture.at("there/a")).await?;
    kept(&*bucket, &first).await?;
    kept(&*bucket, &there).await?;
    gone(fixture, &*bucket, &first).await
}

/// An object that was copied into another bucket, and then deleted.
pub async fn a_version_moved_in_two_steps_is_kept(fixture: &Fixture) -> Outcome {
    let Some((bucket, first)) = begin(fixture).await? else {
        return Ok(());
    };
    let other = fixture.other();
    let there = fixture.there("versioned");
    let made = copy(&first, &*bucket, (other.name(), &there), None).await?;
    bucket.delete(first.pinned()).await?;
    kept(&*bucket, &first).await?;
    kept(&*other, &made).await?;
    gone(fixture, &*bucket, &first).await
}

/// A version that is not live any more is neither moved nor deleted nor changed in place of the live one.
pub async fn a_version_that_is_not_live_is_left_alone(fixture: &Fixture) -> Outcome {
    let Some((bucket, first)) = begin(fixture).await? else {
        return Ok(());
    };
    let second = bucket.create(&first.name, first.generation, text("second")).await?;
    let old = first.pinned();
    let mark = first.metadata.clone();
    fails(bucket.delete(old).await, &STALE)?;
    fails(bucket.rename(old, 1, &fixture.at("there/a")).await, &STALE)?;
    fails(bucket.update(old, 1, &mark).await, &STALE)?;
    kept(&*bucket, &first).await?;
    same("the live object", bucket.get(&first.name).await?, second)
}

/// One object in the versioned bucket, if there is one.
async fn begin(fixture: &Fixture) -> brigade_storage::Result<Option<(Arc<dyn Bucket>, Object)>> {
    let Some(bucket) = fixture.versioned() else {
        return Ok(None);
    };
    let first = bucket.create(&fixture.at("a"), 0, text("first")).await?;
    Ok(Some((bucket, first)))
}

/// Its content is still there under its generation.
async fn kept(bucket: &dyn Bucket, version: &Object) -> Outcome {
    let content = read(bucket, version.pinned(), 0).await?;
    same("the content kept", &content[..], b"first")
}

/// Nothing is live under its name.
async fn gone(fixture: &Fixture, bucket: &dyn Bucket, version: &Object) -> Outcome {
    fails(bucket.get(&version.name).await, &[Kind::NotFound])?;
    let request = ListRequest { prefix: fixture.at("a"), ..ListRequest::default() };
    same("the listing", bucket.list(&request).await?.objects, vec![])
}
