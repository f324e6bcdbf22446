//! Changes of custom metadata, fenced by generation and metageneration.

use super::{
    check::{Outcome, STALE, fails, holds, same},
    fixture::{Fixture, metadata, text},
};
use brigade_storage::{Kind, NewObject};

/// Keys that are named are set, or removed when empty; all others stay.
pub async fn an_update_merges_and_removes_keys(fixture: &Fixture) -> Outcome {
    let created = fixture.put("a", "x").await?;
    let change =
        metadata(&[("brigade-status", "failed"), ("site", "Basel"), ("subject", ""), ("no", "")]);
    let bucket = fixture.bucket();
    let updated = bucket.update(created.pinned(), 1, &change).await?;
    let want = metadata(&[("brigade-status", "failed"), ("device", "pad"), ("site", "Basel")]);
    same("the metadata", &updated.metadata, &want)?;
    fixture.unchanged(&updated, "x").await
}

/// The metageneration counts; generation, content, checksums and content type stay.
pub async fn an_update_keeps_all_but_metadata(fixture: &Fixture) -> Outcome {
    let created = fixture.put("a", "x").await?;
    let change = metadata(&[("brigade-attempts", "1")]);
    let updated = fixture.bucket().update(created.pinned(), 1, &change).await?;
    same("the metageneration", updated.metageneration, 2)?;
    holds("the update is later", updated.updated >= created.updated)?;
    let mut want = created;
    want.metadata.extend(change);
    want.metageneration = 2;
    want.updated = updated.updated;
    same("the object", updated, want)
}

/// An object that was uploaded again is another one.
pub async fn an_update_of_a_stale_generation_changes_nothing(fixture: &Fixture) -> Outcome {
    let first = fixture.put("a", "first").await?;
    let second = fixture.put_again(&first, "second").await?;
    let change = metadata(&[("brigade-status", "failed")]);
    fails(fixture.bucket().update(first.pinned(), 1, &change).await, &STALE)?;
    fixture.unchanged(&second, "second").await
}

/// A caller that read the metadata before another caller changed them has to read again.
pub async fn an_update_of_a_stale_metageneration_changes_nothing(fixture: &Fixture) -> Outcome {
    let bucket = fixture.bucket();
    let created = fixture.put("a", "x").await?;
    let updated = bucket.update(created.pinned(), 1, &metadata(&[("n", "1")])).await?;
    let late = bucket.update(created.pinned(), 1, &metadata(&[("n", "2")])).await;
    fails(late, &[Kind::Precondition])?;
    fixture.unchanged(&updated, "x").await
}

/// Keys with the characters that have a meaning in an update mask are keys like any other.
pub async fn an_update_takes_any_key(fixture: &Fixture) -> Outcome {
    let created = fixture.put("a", "x").await?;
    let change =
        metadata(&[("a.b", "1"), ("app.example.com/name", "2"), ("site", "Basel"), ("x-y_z", "3")]);
    let bucket = fixture.bucket();
    let updated = bucket.update(created.pinned(), 1, &change).await?;
    let mut want = created.metadata;
    want.extend(change);
    same("the metadata", &updated.metadata, &want)?;
    let updated = bucket.update(updated.pinned(), 2, &metadata(&[("a.b", "")])).await?;
    want.remove("a.b");
    same("the metadata", &updated.metadata, &want)
}

/// Merging nothing tells whether this generation and metageneration are live.
pub async fn an_update_of_nothing_is_fenced_and_changes_nothing(fixture: &Fixture) -> Outcome {
    let bucket = fixture.bucket();
    let created = fixture.put("a", "x").await?;
    let nothing = metadata(&[]);
    let same_again = bucket.update(created.pinned(), 1, &nothing).await?;
    same("the object", &same_again, &created)?;
    fails(bucket.update(created.pinned(), 2, &nothing).await, &[Kind::Precondition])?;
    fixture.unchanged(&created, "x").await
}

/// Keys and values of custom metadata have at most 8 KiB together; a call that would store more changes nothing.
pub async fn metadata_over_8_kib_is_refused(fixture: &Fixture) -> Outcome {
    let (bucket, other) = (fixture.bucket(), fixture.other());
    let name = fixture.at("a");
    let with = |metadata| NewObject { metadata, ..text("x") };
    let over = metadata(&[("k", &"v".repeat(8 * 1_024))]);
    let created = bucket.create(&name, 0, with(over)).await;
    fails(created, &[Kind::Invalid])?;
    fails(bucket.get(&name).await, &[Kind::NotFound])?;

    let fits = metadata(&[("k", &"v".repeat(8 * 1_024 - 1))]);
    let created = bucket.create(&name, 0, with(fits)).await?;
    let more = metadata(&[("l", "v")]);
    let updated = bucket.update(created.pinned(), 1, &more).await;
    fails(updated, &[Kind::Invalid])?;
    let source = created.pinned();
    let there = fixture.there("a");
    let copied = bucket.rewrite(source, other.name(), &there, Some(&more), None);
    fails(copied.await, &[Kind::Invalid])?;
    fails(other.get(&there).await, &[Kind::NotFound])?;
    fixture.unchanged(&created, "x").await
}

/// What was deleted cannot be updated.
pub async fn updating_what_is_gone_is_not_found(fixture: &Fixture) -> Outcome {
    let bucket = fixture.bucket();
    let created = fixture.put("a", "x").await?;
    bucket.delete(created.pinned()).await?;
    let change = metadata(&[("n", "1")]);
    fails(bucket.update(created.pinned(), 1, &change).await, &[Kind::NotFound])?;
    fails(bucket.get(&created.name).await, &[Kind::NotFound])
}
