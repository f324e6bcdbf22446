//! Uploads, each with the generation that it may replace.

use bytes::Bytes;

use super::{
    check::{Outcome, fails, holds, same},
    fixture::{Fixture, metadata, one_winner, read, text},
};
use brigade_storage::{NewObject, error::Kind};

/// The answer to an upload tells what was uploaded: size, checksums, content type, metadata, metageneration 1.
pub async fn a_created_object_is_what_was_given(fixture: &Fixture) -> Outcome {
    let created = fixture.put("a", "1,2").await?;
    same("the bucket", created.bucket.as_str(), fixture.bucket().name())?;
    same("the name", &created.name, &fixture.at("a"))?;
    same("the size", created.size, 3)?;
    same("the content type", created.content_type.as_str(), "text/csv")?;
    same("the metadata", &created.metadata, &text("").metadata)?;
    same("the CRC32C", created.crc32c, Some(crc32c::crc32c(b"1,2")))?;
    let md5 = md5::compute(b"1,2").0;
    holds("the MD5 is right", created.md5.is_none_or(|got| got == md5))?;
    same("the metageneration", created.metageneration, 1)?;
    holds("the generation is positive", created.generation > 0)?;
    holds("it was created before it was updated", created.created <= created.updated)?;
    fixture.unchanged(&created, "1,2").await
}

/// `replaces = 0` means that nothing may be there.
pub async fn creating_over_an_object_changes_nothing(fixture: &Fixture) -> Outcome {
    let first = fixture.put("a", "first").await?;
    fails(fixture.put("a", "second").await, &[Kind::Precondition])?;
    fixture.unchanged(&first, "first").await
}

/// The generation that was named is replaced: content, content type and metadata, nothing of the old remains.
pub async fn creating_replaces_exactly_the_named_generation(fixture: &Fixture) -> Outcome {
    let first = fixture.put("a", "first").await?;
    let new = NewObject {
        content: "second".into(),
        content_type: "text/plain".into(),
        metadata: metadata(&[("site", "Basel")]),
    };
    let second = fixture.bucket().create(&first.name, first.generation, new).await?;
    holds("the generation grows", second.generation > first.generation)?;
    same("the metageneration", second.metageneration, 1)?;
    same("the content type", second.content_type.as_str(), "text/plain")?;
    same("the metadata", &second.metadata, &metadata(&[("site", "Basel")]))?;
    fixture.unchanged(&second, "second").await
}

/// A generation that was replaced since cannot be replaced again.
pub async fn creating_over_a_stale_generation_changes_nothing(fixture: &Fixture) -> Outcome {
    let first = fixture.put("a", "first").await?;
    let second = fixture.put_again(&first, "second").await?;
    fails(fixture.put_again(&first, "third").await, &[Kind::Precondition])?;
    fixture.unchanged(&second, "second").await
}

/// Nor can one that was deleted since: a slow writer must not resurrect it.
pub async fn creating_over_a_generation_that_is_gone_creates_nothing(fixture: &Fixture) -> Outcome {
    let first = fixture.put("a", "first").await?;
    fixture.bucket().delete(first.pinned()).await?;
    fails(fixture.put_again(&first, "second").await, &[Kind::Precondition])?;
    fails(fixture.bucket().get(&first.name).await, &[Kind::NotFound])
}

/// Of two uploads to one free name, one succeeds and the other changes nothing.
pub async fn of_two_creators_one_wins(fixture: &Fixture) -> Outcome {
    let (first, second) = futures::join!(fixture.put("a", "x"), fixture.put("a", "x"));
    let (won, lost) = one_winner(first, second)?;
    same("the loser", lost.kind(), &Kind::Precondition)?;
    fixture.unchanged(&won, "x").await
}

/// A generation never comes back, not even for the same bytes under the same name.
pub async fn a_name_used_again_gets_another_generation(fixture: &Fixture) -> Outcome {
    let first = fixture.put("a", "x").await?;
    fixture.bucket().delete(first.pinned()).await?;
    let second = fixture.put("a", "x").await?;
    holds("the generation grows", second.generation > first.generation)?;
    fails(fixture.bucket().delete(first.pinned()).await, &super::check::STALE)?;
    fixture.unchanged(&second, "x").await
}

/// Zero bytes are a content.
pub async fn an_empty_object_is_an_object(fixture: &Fixture) -> Outcome {
    let created = fixture.put("a", "").await?;
    same("the size", created.size, 0)?;
    same("the CRC32C", created.crc32c, Some(0))?;
    same("the listing", fixture.list("", 0).await?, vec!["a".to_owned()])?;
    fixture.unchanged(&created, "").await
}

/// More than fits into one message or chunk.
pub async fn a_large_object_is_kept_whole(fixture: &Fixture) -> Outcome {
    let content: Bytes = (0..3_000_000_u32).map(|n| n.to_le_bytes()[n as usize % 3]).collect();
    let new = NewObject {
        content: content.clone().into(),
        content_type: "application/octet-stream".into(),
        ..NewObject::default()
    };
    let bucket = fixture.bucket();
    let created = bucket.create(&fixture.at("a"), 0, new).await?;
    same("the size", created.size, content.len() as u64)?;
    same("the CRC32C", created.crc32c, Some(crc32c::crc32c(&content)))?;
    let got = read(&*bucket, created.pinned(), 0).await?;
    holds("the content is the same", got == content)
}
