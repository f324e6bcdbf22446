//! What the lease's object says: which polls hold it, for which part of the inbox, and since when.

use std::{collections::BTreeMap, time::Duration};

use brigade_storage::{Metadata, Object};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{SKEW, TTL};

/// The poll that wrote this generation of the object. A poller of an earlier version writes nothing else.
pub(super) const WRITER: &str = "brigade-holder";
/// One key for each holder: this and its name.
const HOLDER: &str = "brigade-lease-";

/// The part of an inbox that a poll scans.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scope {
    /// Of the names, below the inbox.
    pub(crate) prefix: String,
    /// The globs of the poller.
    pub(crate) globs: String,
}

/// A poll that holds the lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    /// Nothing for one of an earlier version, which holds the whole inbox.
    pub(crate) scope: Option<Scope>,
    /// By the clock of the holder.
    pub(crate) since: Timestamp,
    /// By the server's clock: a later writer of the object copies it.
    pub(super) renewed: Timestamp,
    /// The process, where others on its machine can tell whether it still runs.
    pub(super) process: String,
}

/// All holders, by name.
pub(super) type Holders = BTreeMap<String, Holder>;

// === impl Scope ===

impl Scope {
    /// Whether polls of both could ask about the same object. Those with different globs are taken for disjoint.
    fn excludes(&self, other: &Self) -> bool {
        let (one, two) = (&self.prefix, &other.prefix);
        self.globs == other.globs && (one.starts_with(two) || two.starts_with(one))
    }
}

// === impl Holder ===

impl Holder {
    pub(super) fn excludes(&self, scope: &Scope) -> bool {
        self.scope.as_ref().is_none_or(|own| own.excludes(scope))
    }

    /// When another poll may take it over, unless it is renewed.
    pub(crate) fn until(&self) -> Timestamp {
        self.renewed.saturating_add(TTL + SKEW).unwrap_or(Timestamp::MAX)
    }

    pub(super) fn is_expired(&self, now: Timestamp) -> bool {
        let age = Duration::try_from(now.duration_since(self.renewed));
        age.is_ok_and(|age| age > TTL + SKEW)
    }
}

/// The holders that an object names. One without any is that of an earlier version, or of another origin: it is a holder
/// of the whole inbox, and expires like any other.
pub(super) fn read(object: &Object) -> Holders {
    let writer = object.metadata.get(WRITER).cloned().unwrap_or_default();
    let entries = object.metadata.iter().filter_map(|(key, value)| {
        let name = key.strip_prefix(HOLDER)?;
        let mut holder = parse(value)?;
        if name == writer {
            holder.renewed = object.created;
        }
        Some((name.to_owned(), holder))
    });
    if object.metadata.keys().any(|key| key.starts_with(HOLDER)) {
        return entries.collect();
    }
    let whole = Holder {
        scope: None,
        since: object.created,
        renewed: object.created,
        process: String::new(),
    };
    Holders::from([(writer, whole)])
}

/// The metadata that names these holders, written by `writer`. Where there is no room for so many, storage refuses it.
pub(super) fn write(writer: &str, holders: &Holders) -> Metadata {
    let mut metadata = Metadata::from([(WRITER.to_owned(), writer.to_owned())]);
    for (name, holder) in holders {
        let scope = holder.scope.clone().unwrap_or_default();
        let entry = json!({
            "prefix": scope.prefix,
            "globs": scope.globs,
            "since": holder.since.to_string(),
            "renewed": holder.renewed.to_string(),
            "process": holder.process,
        });
        metadata.insert(format!("{HOLDER}{name}"), entry.to_string());
    }
    metadata
}

fn parse(entry: &str) -> Option<Holder> {
    let entry: Value = serde_json::from_str(entry).ok()?;
    let text = |key: &str| Some(entry.get(key)?.as_str()?.to_owned());
    Some(Holder {
        scope: Some(Scope { prefix: text("prefix")?, globs: text("globs")? }),
        since: text("since")?.parse().ok()?,
        renewed: text("renewed")?.parse().ok()?,
        process: text("process").unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::object;

    fn scope(prefix: &str, globs: &str) -> Scope {
        Scope { prefix: prefix.into(), globs: globs.into() }
    }

    fn holder(prefix: &str, second: i64) -> Holder {
        Holder {
            scope: Some(scope(prefix, "*.csv")),
            since: Timestamp::UNIX_EPOCH,
            renewed: Timestamp::from_second(second).unwrap(),
            process: "host/1/2".into(),
        }
    }

    #[test]
    fn prefixes_of_which_one_contains_the_other_exclude_each_other_under_the_same_globs() {
        for (one, other, excludes) in [
            (("", ""), ("", ""), true),
            (("", ""), ("eu/", ""), true),
            (("eu/", ""), ("eu/berlin/", ""), true),
            (("eu/", ""), ("us/", ""), false),
            (("", "*.csv"), ("", "*.json"), false),
            (("", "*.csv"), ("", ""), false),
            (("eu/", "*.csv"), ("", "*.csv"), true),
        ] {
            let (one, other) = (scope(one.0, one.1), scope(other.0, other.1));
            assert_eq!(one.excludes(&other), excludes, "{one:?} {other:?}");
            assert_eq!(other.excludes(&one), excludes, "{other:?} {one:?}");
        }
    }

    #[test]
    fn the_writer_was_renewed_when_the_object_was_made_and_the_others_when_they_say() {
        let holders =
            Holders::from([("a".into(), holder("eu/", 5)), ("b".into(), holder("us/", 6))]);
        let mut object = object(".brigade/in/lease", 1);
        object.created = Timestamp::from_second(9).unwrap();
        object.metadata = write("b", &holders);
        let mut read_back = read(&object);
        assert_eq!(read_back["b"].renewed, object.created);
        read_back.get_mut("b").unwrap().renewed = holders["b"].renewed;
        assert_eq!(read_back, holders);
    }

    #[test]
    fn an_object_of_an_earlier_version_is_a_holder_of_the_whole_inbox() {
        let mut object = object(".brigade/in/lease", 1);
        object.metadata = Metadata::from([(WRITER.to_owned(), "a".to_owned())]);
        assert!(read(&object)["a"].excludes(&scope("eu/", "*.csv")));
    }

    #[test]
    fn an_entry_that_is_none_holds_nothing() {
        let mut object = object(".brigade/in/lease", 1);
        object.metadata = Metadata::from([(format!("{HOLDER}a"), "{}".to_owned())]);
        assert!(read(&object).is_empty());
    }
}
