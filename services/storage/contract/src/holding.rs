//! Holds. Kept by a store without a way to set one, for want of it.

use super::{
    check::{Outcome, STALE, fails, holds},
    fixture::{Fixture, metadata},
};
use brigade_storage::error::Kind;
use jiff::Timestamp;

/// A look shows it; a move and a deletion are refused as held; metadata can still be written; released, it moves.
pub async fn a_held_object_is_seen_and_refused_as_held(fixture: &Fixture) -> Outcome {
    let bucket = fixture.bucket();
    let created = fixture.put("in/a", "x").await?;
    let Some(held) = fixture.hold(&created, true).await? else {
        return Ok(());
    };
    holds(
        "the look shows the hold",
        bucket.get(&held.name).await?.held(Timestamp::UNIX_EPOCH).is_some(),
    )?;
    let mark = metadata(&[("brigade-status", "failed")]);
    let marked = bucket.update(held.pinned(), held.metageneration, &mark).await?;
    let destination = fixture.at("out/a");
    let moved = bucket.rename(marked.pinned(), marked.metageneration, &destination).await;
    fails(moved, &[Kind::Held])?;
    fails(bucket.delete(marked.pinned()).await, &[Kind::Held])?;
    fails(bucket.get(&destination).await, &[Kind::NotFound])?;
    fixture.unchanged(&marked, "x").await?;
    fixture.hold(&marked, false).await?;
    let free = bucket.get(&marked.name).await?;
    bucket.rename(free.pinned(), free.metageneration, &destination).await?;
    Ok(())
}

/// A condition is checked before a hold: an object that was uploaded again is stale, and not held.
pub async fn a_stale_condition_on_a_held_object_is_no_hold(fixture: &Fixture) -> Outcome {
    let bucket = fixture.bucket();
    let first = fixture.put("in/a", "first").await?;
    let second = fixture.put_again(&first, "second").await?;
    if fixture.hold(&second, true).await?.is_none() {
        return Ok(());
    }
    let stale = bucket.rename(first.pinned(), first.metageneration, &fixture.at("out/a")).await;
    let deleted = bucket.delete(first.pinned()).await;
    fixture.hold(&second, false).await?;
    fails(stale, &STALE)?;
    fails(deleted, &STALE)
}
