//! The simulated service itself: synchronous, one step a call.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use bytes::Bytes;
use jiff::Timestamp;

use super::{
    history::{Actor, Change, Mutation, Place},
    names,
    rewrite::Progress,
};
use brigade_storage::{
    Content, ListRequest, NewObject, Page,
    error::{Error, Kind, Operation, Result},
    object::{Metadata, Object, Pinned},
};

/// The largest page, and the one served when none is asked for.
const PAGE: usize = 1_000;

/// Keys and values together (docs: "Quotas and limits").
const METADATA_LIMIT: usize = 8 * 1_024;

/// Generations begin here: large, as real ones are, so that none is taken for a metageneration.
const FIRST_GENERATION: i64 = 1_700_000_000_000_001;

/// All buckets, and what happened to them.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) history: Vec<Mutation>,
    pub(super) rewrite_step: Option<u64>,
    pub(super) rewrites: Vec<Progress>,
    pub(super) buckets: BTreeMap<String, BTreeMap<String, Stored>>,
    /// Buckets that keep what is replaced or deleted, and what they kept.
    pub(super) versioned: BTreeSet<String>,
    pub(super) noncurrent: BTreeMap<Place, Stored>,
    generations: i64,
}

/// A live object.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) object: Object,
    pub(super) content: Bytes,
}

/// Who asks for what, when: for conditions, errors and history.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    pub(super) operation: Operation,
    pub(super) bucket: &'a str,
    pub(super) name: &'a str,
    pub(super) by: Actor,
    pub(super) now: Timestamp,
}

// === impl Request ===

impl Request<'_> {
    pub(super) fn failed(&self, kind: Kind, detail: impl Into<String>) -> Error {
        Error::new(kind, self.operation, self.bucket, self.name, detail)
    }

    pub(super) fn place(&self, generation: i64) -> Place {
        Place {
            bucket: self.bucket.to_owned(),
            name: self.name.to_owned(),
            generation,
        }
    }
}

// === impl State ===

impl State {
    pub(super) fn add_bucket(&mut self, name: &str) {
        self.buckets.entry(name.to_owned()).or_default();
    }

    pub(super) fn objects(&self, bucket: &str) -> Vec<Object> {
        let stored = self
            .buckets
            .get(bucket)
            .into_iter()
            .flat_map(BTreeMap::values);
        stored.map(|stored| stored.object.clone()).collect()
    }

    pub(super) fn content(&self, bucket: &str, name: &str) -> Option<Bytes> {
        Some(self.buckets.get(bucket)?.get(name)?.content.clone())
    }

    /// Pages go on after the last name of the one before, so what is inserted or removed meanwhile shifts nothing.
    pub(super) fn list(&self, request: Request<'_>, page: &ListRequest) -> Result<Page> {
        let bucket = self.bucket(request)?;
        let size = match usize::try_from(page.page_size) {
            Ok(0) => PAGE,
            Ok(size) => size.min(PAGE),
            Err(_) => return Err(request.failed(Kind::Invalid, "a page cannot have fewer than 0")),
        };
        let begin = if page.page_token < page.prefix {
            Bound::Included(&page.prefix)
        } else {
            Bound::Excluded(&page.page_token)
        };
        let mut rest = bucket
            .range::<String, _>((begin, Bound::Unbounded))
            .take_while(|(name, _)| name.starts_with(&page.prefix));
        let objects: Vec<Object> = rest
            .by_ref()
            .take(size)
            .map(|(_, s)| s.object.clone())
            .collect();
        let next = match (rest.next(), objects.last()) {
            (Some(_), Some(last)) => last.name.clone(),
            _ => String::new(),
        };
        Ok(Page { objects, next })
    }

    pub(super) fn get(&self, request: Request<'_>) -> Result<&Stored> {
        self.bucket(request)?
            .get(request.name)
            .ok_or_else(|| request.failed(Kind::NotFound, ""))
    }

    /// The live object, if it is this generation.
    pub(super) fn pinned(&self, request: Request<'_>, generation: i64) -> Result<&Stored> {
        let found = self.get(request)?;
        if found.object.generation == generation {
            Ok(found)
        } else {
            Err(request.failed(Kind::Precondition, "another generation is live"))
        }
    }

    pub(super) fn create(
        &mut self,
        request: Request<'_>,
        replaces: Option<i64>,
        new: NewObject,
    ) -> Result<Object> {
        check_name(request, request.name)?;
        let live = self.bucket(request)?.get(request.name).cloned();
        let generation = live.as_ref().map_or(0, |live| live.object.generation);
        if replaces.is_some_and(|replaces| replaces != generation) {
            return Err(request.failed(Kind::Precondition, "another generation is live"));
        }
        if let Some(live) = &live {
            check_held(request, &live.object)?;
        }
        let metadata = merged(&Metadata::new(), &new.metadata);
        check_metadata(request, &metadata)?;
        let Content::Bytes(content) = new.content else {
            return Err(request.failed(Kind::Invalid, "a file is read before it comes here"));
        };
        let object = Object {
            bucket: request.bucket.to_owned(),
            name: request.name.to_owned(),
            generation: self.next_generation(),
            metageneration: 1,
            size: content.len() as u64,
            content_type: new.content_type,
            crc32c: Some(crc32c::crc32c(&content)),
            md5: Some(md5::compute(&content).0),
            created: request.now,
            updated: request.now,
            metadata,
            temporary_hold: false,
            event_based_hold: false,
            retention_expires: None,
        };
        let place = request.place(object.generation);
        self.insert(object.clone(), content);
        let change = Change::Created {
            replaced: live.map(|live| live.object.generation),
        };
        self.record(request, place, change);
        Ok(object)
    }

    pub(super) fn update(
        &mut self,
        request: Request<'_>,
        generation: i64,
        metageneration: i64,
        metadata: &Metadata,
    ) -> Result<Object> {
        let found = &self.pinned(request, generation)?.object;
        if found.metageneration != metageneration {
            return Err(request.failed(Kind::Precondition, "its metadata changed"));
        }
        if metadata.is_empty() {
            return Ok(found.clone());
        }
        let metadata = merged(&found.metadata, metadata);
        check_metadata(request, &metadata)?;
        self.change(request, |object| object.metadata = metadata)
    }

    /// Changes properties of the live object; its content and generation stay.
    pub(super) fn change(
        &mut self,
        request: Request<'_>,
        change: impl FnOnce(&mut Object),
    ) -> Result<Object> {
        let stored = self.get(request)?.clone();
        let mut object = stored.object;
        change(&mut object);
        object.metageneration += 1;
        object.updated = request.now;
        self.insert(object.clone(), stored.content);
        let change = Change::Updated {
            metageneration: object.metageneration,
            metadata: object.metadata.clone(),
        };
        self.record(request, request.place(object.generation), change);
        Ok(object)
    }

    pub(super) fn rename(
        &mut self,
        request: Request<'_>,
        source: Pinned<'_>,
        metageneration: i64,
        destination: &str,
    ) -> Result<Object> {
        check_name(request, destination)?;
        let found = self.pinned(request, source.generation)?.clone();
        if found.object.metageneration != metageneration {
            return Err(request.failed(Kind::Precondition, "its metadata changed"));
        }
        self.check_free(request, request.bucket, destination)?;
        check_held(request, &found.object)?;
        let to = request.bucket.to_owned();
        let moved = self.place_copy(request, &found, to, destination.to_owned(), None);
        self.take(request);
        let to = place_of(&moved);
        self.record(
            request,
            request.place(source.generation),
            Change::Moved { to },
        );
        Ok(moved)
    }

    pub(super) fn delete(&mut self, request: Request<'_>, generation: Option<i64>) -> Result<()> {
        let found = match generation {
            Some(generation) => self.pinned(request, generation)?,
            None => self.get(request)?,
        };
        check_held(request, &found.object)?;
        let place = place_of(&found.object);
        self.take(request);
        self.record(request, place, Change::Deleted);
        Ok(())
    }

    /// Nothing may lie at a destination.
    pub(super) fn check_free(&self, request: Request<'_>, bucket: &str, name: &str) -> Result<()> {
        match self.buckets.get(bucket) {
            None => Err(request.failed(Kind::NoBucket, format!("to gs://{bucket}/{name}"))),
            Some(objects) if objects.contains_key(name) => {
                Err(request.failed(Kind::Precondition, "the destination is taken"))
            }
            Some(_) => Ok(()),
        }
    }

    /// Puts the content of `source` at a free place, as a new generation without its holds.
    pub(super) fn place_copy(
        &mut self,
        request: Request<'_>,
        source: &Stored,
        bucket: String,
        name: String,
        metadata: Option<&Metadata>,
    ) -> Object {
        let nothing = Metadata::new();
        let object = Object {
            bucket,
            name,
            generation: self.next_generation(),
            metageneration: 1,
            created: request.now,
            updated: request.now,
            metadata: merged(&source.object.metadata, metadata.unwrap_or(&nothing)),
            temporary_hold: false,
            event_based_hold: false,
            retention_expires: None,
            ..source.object.clone()
        };
        self.insert(object.clone(), source.content.clone());
        object
    }

    pub(super) fn record(&mut self, request: Request<'_>, place: Place, change: Change) {
        self.history.push(Mutation {
            at: request.now,
            by: request.by,
            place,
            change,
        });
    }

    fn bucket(&self, request: Request<'_>) -> Result<&BTreeMap<String, Stored>> {
        self.buckets
            .get(request.bucket)
            .ok_or_else(|| request.failed(Kind::NoBucket, ""))
    }

    fn insert(&mut self, object: Object, content: Bytes) {
        let bucket = self.buckets.entry(object.bucket.clone()).or_default();
        let generation = object.generation;
        let before = bucket.insert(object.name.clone(), Stored { object, content });
        if let Some(before) = before.filter(|before| before.object.generation != generation) {
            self.retire(before);
        }
    }

    fn take(&mut self, request: Request<'_>) {
        let bucket = self.buckets.get_mut(request.bucket);
        if let Some(before) = bucket.and_then(|bucket| bucket.remove(request.name)) {
            self.retire(before);
        }
    }

    fn next_generation(&mut self) -> i64 {
        self.generations += 1;
        FIRST_GENERATION + self.generations
    }
}

pub(super) fn place_of(object: &Object) -> Place {
    Place {
        bucket: object.bucket.clone(),
        name: object.name.clone(),
        generation: object.generation,
    }
}

pub(super) fn check_name(request: Request<'_>, name: &str) -> Result<()> {
    match names::refusal(name) {
        Some(why) => Err(request.failed(Kind::Invalid, why)),
        None => Ok(()),
    }
}

pub(super) fn check_metadata(request: Request<'_>, metadata: &Metadata) -> Result<()> {
    let size: usize = metadata
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    if size > METADATA_LIMIT {
        return Err(request.failed(Kind::Invalid, "custom metadata has 8 KiB at most"));
    }
    Ok(())
}

/// `changes` merged into `base`; a key with an empty value is removed.
pub(super) fn merged(base: &Metadata, changes: &Metadata) -> Metadata {
    let mut merged = base.clone();
    merged.extend(changes.clone());
    merged.retain(|_, value| !value.is_empty());
    merged
}

/// Asked after the conditions, as the real service does.
pub(super) fn check_held(request: Request<'_>, object: &Object) -> Result<()> {
    match object.held(request.now) {
        Some(why) => Err(request.failed(Kind::Held, why)),
        None => Ok(()),
    }
}
