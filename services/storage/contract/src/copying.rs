//! Copies, into another bucket or not: of one generation, onto a free name.

use super::{
    check::{Outcome, STALE, fails, same},
    fixture::{Fixture, copy, metadata},
};
use brigade_storage::{error::Kind, object::Object};

/// Content, content type, checksums and metadata are the source's, which stays as it is.
pub async fn a_copy_keeps_all_and_leaves_the_source(fixture: &Fixture) -> Outcome {
    let source = fixture.put("in/a", "1,2").await?;
    let (from, to) = (fixture.bucket(), fixture.other());
    let name = fixture.there("out/a");
    let made = copy(&source, &*from, (to.name(), &name), None).await?;
    same("the copy", &made, &expected(&source, to.name(), &name, &made))?;
    fixture.unchanged(&made, "1,2").await?;
    fixture.unchanged(&source, "1,2").await
}

/// Metadata that are given are merged into the source's; the content type is not lost over it.
pub async fn a_copy_merges_metadata_and_keeps_the_content_type(fixture: &Fixture) -> Outcome {
    let source = fixture.put("in/a", "1,2").await?;
    let (from, to) = (fixture.bucket(), fixture.other());
    let name = fixture.there("out/a");
    let change = metadata(&[("brigade-status", "processed"), ("site", "Basel"), ("subject", "")]);
    let made = copy(&source, &*from, (to.name(), &name), Some(&change)).await?;
    let want = Object {
        metadata: metadata(&[
            ("brigade-status", "processed"),
            ("device", "pad"),
            ("site", "Basel"),
        ]),
        ..expected(&source, to.name(), &name, &made)
    };
    same("the copy", &made, &want)?;
    fixture.unchanged(&made, "1,2").await?;
    fixture.unchanged(&source, "1,2").await
}

/// The other bucket may be the same one.
pub async fn a_copy_within_the_bucket_is_a_copy(fixture: &Fixture) -> Outcome {
    let source = fixture.put("in/a", "x").await?;
    let bucket = fixture.bucket();
    let name = fixture.at("out/a");
    let made = copy(&source, &*bucket, (bucket.name(), &name), None).await?;
    fixture.unchanged(&made, "x").await?;
    fixture.unchanged(&source, "x").await
}

/// An object that was uploaded again is not copied in place of the one meant.
pub async fn copying_a_stale_generation_copies_nothing(fixture: &Fixture) -> Outcome {
    let first = fixture.put("in/a", "first").await?;
    let second = fixture.put_again(&first, "second").await?;
    let (from, to) = (fixture.bucket(), fixture.other());
    let name = fixture.there("out/a");
    for metadata in [None, Some(&metadata(&[("n", "1")]))] {
        let made = copy(&first, &*from, (to.name(), &name), metadata).await;
        fails(made, &STALE)?;
    }
    fails(to.get(&name).await, &[Kind::NotFound])?;
    fixture.unchanged(&second, "second").await
}

/// What has the name already keeps it.
pub async fn copying_onto_a_taken_name_changes_nothing(fixture: &Fixture) -> Outcome {
    let source = fixture.put("in/a", "source").await?;
    let (from, to) = (fixture.bucket(), fixture.other());
    let name = fixture.there("out/a");
    let taken = copy(&source, &*from, (to.name(), &name), None).await?;
    let again = fixture.put("in/b", "another").await?;
    for metadata in [None, Some(&metadata(&[("n", "1")]))] {
        let made = copy(&again, &*from, (to.name(), &name), metadata).await;
        fails(made, &[Kind::Precondition])?;
    }
    fixture.unchanged(&taken, "source").await?;
    fixture.unchanged(&again, "another").await
}

/// What was moved or deleted cannot be copied.
pub async fn copying_what_is_gone_is_not_found(fixture: &Fixture) -> Outcome {
    let source = fixture.put("in/a", "x").await?;
    let (from, to) = (fixture.bucket(), fixture.other());
    from.delete(source.pinned()).await?;
    let name = fixture.there("out/a");
    for metadata in [None, Some(&metadata(&[("n", "1")]))] {
        let made = copy(&source, &*from, (to.name(), &name), metadata).await;
        fails(made, &[Kind::NotFound])?;
    }
    fails(to.get(&name).await, &[Kind::NotFound])
}

/// A destination bucket that is not there needs a fix.
pub async fn copying_into_a_missing_bucket_needs_a_fix(fixture: &Fixture) -> Outcome {
    let source = fixture.put("in/a", "x").await?;
    let missing = fixture.missing();
    let to = (missing.name(), "a");
    let made = copy(&source, &*fixture.bucket(), to, None).await;
    fails(made, &[Kind::NoBucket])?;
    fixture.unchanged(&source, "x").await
}

/// The source under its copy's name, generation and times.
fn expected(source: &Object, bucket: &str, name: &str, copy: &Object) -> Object {
    Object {
        bucket: bucket.to_owned(),
        name: name.to_owned(),
        generation: copy.generation,
        metageneration: 1,
        created: copy.created,
        updated: copy.updated,
        ..source.clone()
    }
}
