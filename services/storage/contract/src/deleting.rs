//! Deletions of one generation.

use super::{
    check::{Outcome, STALE, fails, holds, same},
    fixture::{Fixture, one_winner},
};
use brigade_storage::error::Kind;

/// The object is gone from looks and listings at once; its neighbours are not.
pub async fn deleting_removes_exactly_the_named_generation(fixture: &Fixture) -> Outcome {
    let bucket = fixture.bucket();
    let gone = fixture.put("a", "x").await?;
    let stays = fixture.put("ab", "y").await?;
    bucket.delete(gone.pinned()).await?;
    fails(bucket.get(&gone.name).await, &[Kind::NotFound])?;
    same("the listing", fixture.list("", 0).await?, vec!["ab".to_owned()])?;
    fixture.unchanged(&stays, "y").await
}

/// An object that was uploaded again is not deleted in place of the one meant.
pub async fn deleting_a_stale_generation_changes_nothing(fixture: &Fixture) -> Outcome {
    let first = fixture.put("a", "first").await?;
    let second = fixture.put_again(&first, "second").await?;
    fails(fixture.bucket().delete(first.pinned()).await, &STALE)?;
    fixture.unchanged(&second, "second").await
}

/// Deleting twice is not silently the same as deleting once.
pub async fn deleting_what_is_gone_is_not_found(fixture: &Fixture) -> Outcome {
    let bucket = fixture.bucket();
    let created = fixture.put("a", "x").await?;
    bucket.delete(created.pinned()).await?;
    fails(bucket.delete(created.pinned()).await, &[Kind::NotFound])
}

/// Of two deletions of one generation, one succeeds.
pub async fn of_two_deletions_one_wins(fixture: &Fixture) -> Outcome {
    let bucket = fixture.bucket();
    let created = fixture.put("a", "x").await?;
    let (first, second) =
        futures::join!(bucket.delete(created.pinned()), bucket.delete(created.pinned()));
    let ((), lost) = one_winner(first, second)?;
    holds("the loser's error names the reason", STALE.contains(lost.kind()))
}
