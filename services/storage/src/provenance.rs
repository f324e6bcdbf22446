//! Which object another one was made of: what workers write on their outputs, and what the poller and people read there.

use crate::{
    naming::percent_encoded,
    object::{Metadata, Pinned},
};

/// The object that an output was made of: `gs://bucket/name#generation`, with controls and `%` percent-encoded. The poller
/// writes the object itself there when it marks one.
pub const SOURCE: &str = "brigade-source";
/// The object that an output was made of, as `bucket/name#generation` in the same encoding. Workers alone write it, so it
/// tells an output from any other object, and whose output it is.
pub const KEY: &str = "brigade-key";
/// The inbox that the object was in, as `gs://bucket/prefix/`; absent when a caller named the object directly.
pub const INBOX: &str = "brigade-inbox";
/// The run that wrote the output: 16 hex digits, which are in the worker's log too.
pub const RUN: &str = "brigade-run";
/// How many workers one after the other made the output of an object that was uploaded: 1 or more.
pub const HOPS: &str = "brigade-hops";

/// After so many workers one after the other an output is no more work: they form a ring.
pub const MAX_HOPS: u32 = 16;

/// The object that an output was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Its bucket.
    pub bucket: String,
    /// Its whole name.
    pub name: String,
    /// Its generation.
    pub generation: i64,
}

/// `gs://bucket/name#generation`, for [`SOURCE`].
pub fn source(bucket: &str, object: Pinned<'_>) -> String {
    format!("gs://{}", key(bucket, object))
}

/// `bucket/name#generation`, for [`KEY`].
pub fn key(bucket: &str, object: Pinned<'_>) -> String {
    let name = percent_encoded(object.name, char::is_control);
    format!("{bucket}/{name}#{}", object.generation)
}

/// The object that an output with this metadata was made of; nothing when it is no output.
pub fn origin(metadata: &Metadata) -> Option<Origin> {
    parse(metadata.get(KEY)?)
}

/// The object that [`SOURCE`] names in this metadata.
pub fn source_in(metadata: &Metadata) -> Option<Origin> {
    parse(metadata.get(SOURCE)?.strip_prefix("gs://")?)
}

fn parse(key: &str) -> Option<Origin> {
    let (place, generation) = key.rsplit_once('#')?;
    let (bucket, name) = place.split_once('/')?;
    Some(Origin {
        bucket: bucket.to_owned(),
        name: decoded(name)?,
        generation: generation.parse().ok()?,
    })
}

/// How many workers one after the other made the object with this metadata; 0 for one that was uploaded.
pub fn hops(metadata: &Metadata) -> u32 {
    if !metadata.contains_key(KEY) {
        return 0;
    }
    metadata.get(HOPS).and_then(|hops| hops.parse().ok()).unwrap_or(1)
}

/// What was percent-encoded; nothing when it is not.
pub fn decoded(name: &str) -> Option<String> {
    let mut parts = name.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_keeps_a_whole_name_readable_and_reversible() {
        let name = "in/a\tb%20#é/\u{85}";
        let pinned = Pinned { name, generation: 7 };
        assert_eq!(source("bucket", pinned), "gs://bucket/in/a%09b%2520#é/%C2%85#7");
        let metadata = Metadata::from([(KEY.to_owned(), key("bucket", pinned))]);
        let origin = origin(&metadata).unwrap();
        assert_eq!((origin.bucket.as_str(), origin.name.as_str()), ("bucket", name));
        assert_eq!(origin.generation, 7);
        let metadata = Metadata::from([(SOURCE.to_owned(), source("bucket", pinned))]);
        assert_eq!(source_in(&metadata), Some(origin));
    }

    #[test]
    fn what_no_worker_wrote_has_no_origin_and_no_hops() {
        for key in ["", "bucket", "bucket/a", "bucket/a#x", "bucket/%4#1", "bucket/%FF#1"] {
            assert_eq!(origin(&Metadata::from([(KEY.to_owned(), key.to_owned())])), None, "{key}");
        }
        let hops_alone = Metadata::from([(HOPS.to_owned(), "3".to_owned())]);
        assert_eq!((origin(&hops_alone), hops(&hops_alone)), (None, 0));
    }

    #[test]
    fn an_output_has_one_hop_or_as_many_as_it_says() {
        for (given, read) in [(Some("3"), 3), (Some("many"), 1), (None, 1)] {
            let mut metadata = Metadata::from([(KEY.to_owned(), "b/a#1".to_owned())]);
            metadata.extend(given.map(|hops| (HOPS.to_owned(), hops.to_owned())));
            assert_eq!(hops(&metadata), read);
        }
    }
}
