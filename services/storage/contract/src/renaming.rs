//! Renames within a bucket: atomic, of one generation, onto a free name.

use super::{
    check::{Outcome, STALE, fails, holds, same},
    fixture::{Fixture, metadata, one_winner},
};
use brigade_storage::{error::Kind, object::Object};

/// Content, content type, checksums and metadata go along; the generation is new, its metageneration 1.
pub async fn a_rename_keeps_all_under_a_new_generation(fixture: &Fixture) -> Outcome {
    let bucket = fixture.bucket();
    let created = fixture.put("in/a", "1,2").await?;
    let marked = bucket.update(created.pinned(), 1, &metadata(&[("n", "1")])).await?;
    let moved = bucket.rename(marked.pinned(), marked.metageneration, &fixture.at("out/a")).await?;
    holds("the generation is new", moved.generation != marked.generation)?;
    same("the metageneration", moved.metageneration, 1)?;
    let want = Object {
        name: fixture.at("out/a"),
        generation: moved.generation,
        metageneration: 1,
        created: moved.created,
        updated: moved.updated,
        ..marked
    };
    same("the object", &moved, &want)?;
    fixture.unchanged(&moved, "1,2").await
}

/// Nothing remains under the old name, and it can be used again without touching what was renamed.
pub async fn a_rename_frees_the_old_name(fixture: &Fixture) -> Outcome {
    let bucket = fixture.bucket();
    let first = fixture.put("in/a", "first").await?;
    let moved = bucket.rename(first.pinned(), first.metageneration, &fixture.at("out/a")).await?;
    fails(bucket.get(&first.name).await, &[Kind::NotFound])?;
    same("the inbox", fixture.list("in/", 0).await?, Vec::new())?;
    let second = fixture.put("in/a", "second").await?;
    fixture.unchanged(&moved, "first").await?;
    fixture.unchanged(&second, "second").await
}

/// Metadata that another caller changed meanwhile stop a rename, and nothing changes: they may name its destination.
pub async fn renaming_a_stale_metageneration_changes_nothing(fixture: &Fixture) -> Outcome {
    let bucket = fixture.bucket();
    let created = fixture.put("in/a", "x").await?;
    let changed = bucket.update(created.pinned(), 1, &metadata(&[("late", "1")])).await?;
    let destination = fixture.at("out/a");
    let stale = bucket.rename(created.pinned(), 1, &destination).await;
    fails(stale, &[Kind::Precondition])?;
    fails(bucket.get(&destination).await, &[Kind::NotFound])?;
    fixture.unchanged(&changed, "x").await?;
    let moved = bucket.rename(created.pinned(), 2, &destination).await?;
    let late = moved.metadata.get("late").map(String::as_str);
    same("the late metadata", late, Some("1"))
}

/// An object that was uploaded again stays where it is.
pub async fn renaming_a_stale_generation_changes_nothing(fixture: &Fixture) -> Outcome {
    let first = fixture.put("in/a", "first").await?;
    let second = fixture.put_again(&first, "second").await?;
    let bucket = fixture.bucket();
    let destination = fixture.at("out/a");
    fails(bucket.rename(first.pinned(), first.metageneration, &destination).await, &STALE)?;
    fails(bucket.get(&destination).await, &[Kind::NotFound])?;
    fixture.unchanged(&second, "second").await
}

/// What has the name already keeps it, and the source stays.
pub async fn renaming_onto_a_taken_name_changes_nothing(fixture: &Fixture) -> Outcome {
    let source = fixture.put("in/a", "source").await?;
    let taken = fixture.put("out/a", "taken").await?;
    let renamed =
        fixture.bucket().rename(source.pinned(), source.metageneration, &taken.name).await;
    fails(renamed, &[Kind::Precondition])?;
    fixture.unchanged(&taken, "taken").await?;
    fixture.unchanged(&source, "source").await
}

/// Its own name is taken, by itself.
pub async fn renaming_onto_itself_changes_nothing(fixture: &Fixture) -> Outcome {
    let source = fixture.put("a", "x").await?;
    let renamed =
        fixture.bucket().rename(source.pinned(), source.metageneration, &source.name).await;
    fails(renamed, &[Kind::Precondition, Kind::Invalid])?;
    fixture.unchanged(&source, "x").await
}

/// What was moved or deleted cannot be renamed, and nothing appears.
pub async fn renaming_what_is_gone_is_not_found(fixture: &Fixture) -> Outcome {
    let bucket = fixture.bucket();
    let source = fixture.put("in/a", "x").await?;
    bucket.delete(source.pinned()).await?;
    let destination = fixture.at("out/a");
    fails(
        bucket.rename(source.pinned(), source.metageneration, &destination).await,
        &[Kind::NotFound],
    )?;
    fails(bucket.get(&destination).await, &[Kind::NotFound])
}

/// Of two renames of one generation, one succeeds: there is one object afterwards, where the winner put it.
pub async fn of_two_renames_one_wins(fixture: &Fixture) -> Outcome {
    let bucket = fixture.bucket();
    let source = fixture.put("in/a", "x").await?;
    let (processed, failed) = (fixture.at("processed/a"), fixture.at("failed/a"));
    let (first, second) = futures::join!(
        bucket.rename(source.pinned(), source.metageneration, &processed),
        bucket.rename(source.pinned(), source.metageneration, &failed),
    );
    let (won, lost) = one_winner(first, second)?;
    holds("the loser's error names the reason", STALE.contains(lost.kind()))?;
    same("the listing", fixture.list("", 0).await?, vec![fixture.short(&won)])?;
    fixture.unchanged(&won, "x").await
}
