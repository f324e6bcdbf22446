//! How an object is stored: what its uploader said of encoding, caching, storage class and time is listed, and no call of the
//! port changes it. Kept by a store without an uploader that can say it, for want of one.

use jiff::Timestamp;

use super::{
    check::{Broken, Outcome, same},
    fixture::{Fixture, Stored, copy, metadata},
};
use brigade_storage::{ListRequest, object::Object};

const STORED: Stored = Stored {
    content_encoding: "gzip",
    cache_control: "no-store",
    storage_class: "NEARLINE",
    custom_time: "2026-01-02T03:04:05.678Z",
};

/// A look and a listing show it.
pub async fn how_an_object_is_stored_is_listed(fixture: &Fixture) -> Outcome {
    let Some(object) = fixture.put_stored("a", &STORED).await? else {
        return Ok(());
    };
    as_stored(&object)?;
    let request = ListRequest { prefix: fixture.at(""), ..ListRequest::default() };
    let page = fixture.bucket().list(&request).await?;
    same("the listing", page.objects, vec![object])
}

/// An update of the custom metadata.
pub async fn how_an_object_is_stored_survives_an_update(fixture: &Fixture) -> Outcome {
    let Some(object) = fixture.put_stored("a", &STORED).await? else {
        return Ok(());
    };
    let change = metadata(&[("brigade-status", "failed"), ("a.b", "1")]);
    let bucket = fixture.bucket();
    let updated = bucket.update(object.pinned(), object.metageneration, &change).await?;
    as_stored(&updated)?;
    same("the object", bucket.get(&object.name).await?, updated)
}

/// A rename.
pub async fn how_an_object_is_stored_survives_a_rename(fixture: &Fixture) -> Outcome {
    let Some(object) = fixture.put_stored("in/a", &STORED).await? else {
        return Ok(());
    };
    let (bucket, to) = (fixture.bucket(), fixture.at("out/a"));
    let moved = bucket.rename(object.pinned(), object.metageneration, &to).await?;
    as_stored(&moved)?;
    same("the object", bucket.get(&to).await?, moved)
}

/// A copy, with new metadata and without; its storage class is the destination's to choose.
pub async fn how_an_object_is_stored_survives_a_copy(fixture: &Fixture) -> Outcome {
    let Some(object) = fixture.put_stored("in/a", &STORED).await? else {
        return Ok(());
    };
    let (from, to) = (fixture.bucket(), fixture.other());
    let change = metadata(&[("brigade-status", "processed")]);
    for (name, metadata) in [("plain", None), ("marked", Some(&change))] {
        let name = fixture.there(name);
        let made = copy(&object, &*from, (to.name(), &name), metadata).await?;
        as_stored(&Object { storage_class: STORED.storage_class.to_owned(), ..made.clone() })?;
        same("the object", to.get(&name).await?, made)?;
    }
    Ok(())
}

fn as_stored(object: &Object) -> Outcome {
    same("the content encoding", object.content_encoding.as_str(), STORED.content_encoding)?;
    same("the cache control", object.cache_control.as_str(), STORED.cache_control)?;
    same("the storage class", object.storage_class.as_str(), STORED.storage_class)?;
    let custom: Timestamp =
        STORED.custom_time.parse().map_err(|error| Broken::new(format!("{error}")))?;
    same("the custom time", object.custom_time, Some(custom))
}
