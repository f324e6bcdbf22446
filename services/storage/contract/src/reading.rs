//! Downloads of one generation.

use bytes::Bytes;

use super::{
    check::{Outcome, STALE, fails, same},
    fixture::{Fixture, read},
};
use brigade_storage::error::Kind;

/// From the beginning to the end.
pub async fn reading_yields_the_whole_content(fixture: &Fixture) -> Outcome {
    let created = fixture.put("a", "0123456789").await?;
    let got = read(&*fixture.bucket(), created.pinned(), 0).await?;
    same("the content", got, Bytes::from_static(b"0123456789"))
}

/// What was read already need not be read again.
pub async fn reading_from_an_offset_yields_the_rest(fixture: &Fixture) -> Outcome {
    let created = fixture.put("a", "0123456789").await?;
    let got = read(&*fixture.bucket(), created.pinned(), 4).await?;
    same("the content", got, Bytes::from_static(b"456789"))
}

/// A download that was cut right after its last byte can be resumed.
pub async fn reading_at_the_end_yields_nothing(fixture: &Fixture) -> Outcome {
    let created = fixture.put("a", "0123456789").await?;
    let got = read(&*fixture.bucket(), created.pinned(), 10).await?;
    same("the content", got, Bytes::new())
}

/// There is nothing to resume.
pub async fn reading_beyond_the_end_is_refused(fixture: &Fixture) -> Outcome {
    let created = fixture.put("a", "0123456789").await?;
    let got = read(&*fixture.bucket(), created.pinned(), 11).await;
    fails(got, &[Kind::Invalid])
}

/// Never the bytes of another generation, from whatever offset.
pub async fn reading_a_replaced_generation_is_refused(fixture: &Fixture) -> Outcome {
    let first = fixture.put("a", "first").await?;
    let second = fixture.put_again(&first, "second").await?;
    for offset in [0, 2] {
        let got = read(&*fixture.bucket(), first.pinned(), offset).await;
        fails(got, &STALE)?;
    }
    fixture.unchanged(&second, "second").await
}

/// What was deleted cannot be read.
pub async fn reading_what_is_gone_is_not_found(fixture: &Fixture) -> Outcome {
    let bucket = fixture.bucket();
    let created = fixture.put("a", "x").await?;
    bucket.delete(created.pinned()).await?;
    fails(read(&*bucket, created.pinned(), 0).await, &[Kind::NotFound])
}
