//! Copying objects, in one call or in several.

use crate::{
    access::Permission,
    condition::Conditions,
    metadata,
    model::{Model, Pending},
    object::{Attributes, Object},
    refusal::{Refusal, Result},
};

/// Limits of one call are given in steps of this many bytes.
const QUANTUM: i64 = 1024 * 1024;

/// What to copy, and where.
#[derive(Clone, Debug, Default)]
pub struct Rewrite {
    /// The source's bucket.
    pub source_bucket: String,
    /// The source's name.
    pub source: String,
    /// Which generation of it; none: the live one.
    pub source_generation: Option<i64>,
    /// What must hold of the source.
    pub source_conditions: Conditions,
    /// The destination's bucket.
    pub bucket: String,
    /// The destination's name.
    pub destination: String,
    /// What must hold of the destination.
    pub conditions: Conditions,
    /// The copy's attributes; without them it has the source's, holds excepted.
    pub attributes: Option<Attributes>,
    /// Of the call before; empty for the first.
    pub token: String,
    /// How much one call may copy; 0: no limit.
    pub bytes_per_call: i64,
}

/// How far a copy got.
#[derive(Clone, Debug)]
pub struct Progress {
    /// Bytes that were copied so far.
    pub written: u64,
    /// Bytes of the source.
    pub size: u64,
    /// Whether the copy is there.
    pub outcome: Copied,
}

/// Whether a copy is there.
#[derive(Clone, Debug)]
pub enum Copied {
    /// It is.
    Done(Box<Object>),
    /// Call again with this token.
    More(String),
}

impl Model {
    /// One step of a copy. Nothing is visible at the destination before the last.
    pub fn rewrite(&mut self, wanted: &Rewrite) -> Result<Progress> {
        if wanted.bytes_per_call < 0 || wanted.bytes_per_call % QUANTUM != 0 {
            return Err(Refusal::invalid("maxBytesRewrittenPerCall must be a multiple of 1 MiB."));
        }
        let (from, name) = (&wanted.source_bucket, &wanted.source);
        let source = self.find(Permission::Get, from, name, wanted.source_generation)?;
        wanted.source_conditions.check(Some(&source))?;
        let live = self.destination(&wanted.bucket, &wanted.destination, &wanted.conditions)?;
        if let Some(attributes) = &wanted.attributes {
            metadata::check(&attributes.metadata)?;
        }
        let before = self.resume(wanted)?;
        if before.as_ref().is_some_and(|before| before.generation != source.generation) {
            return Err(Refusal::no_object(from, name));
        }
        let calls = before.map_or(0, |p| p.calls) + 1;
        let needed = self.calls_needed(&source, wanted.bytes_per_call);
        let outcome = if calls < needed {
            Copied::More(self.suspend(wanted, source.generation, calls))
        } else {
            Copied::Done(Box::new(self.copy(wanted, &source, live.as_ref())?))
        };
        Ok(Progress {
            written: source.size * calls.min(needed) / needed,
            size: source.size,
            outcome,
        })
    }

    fn copy(&mut self, wanted: &Rewrite, source: &Object, live: Option<&Object>) -> Result<Object> {
        let content = self.bucket(&wanted.source_bucket)?.backend.read(source, 0..source.size)?;
        self.count_write(&wanted.bucket, &wanted.destination)?;
        let generation = self.next_generation(&wanted.bucket, &wanted.destination, 0)?;
        let attributes = wanted.attributes.clone().unwrap_or_else(|| source.attributes.copied());
        let bucket = self.bucket(&wanted.bucket)?;
        let attributes = attributes.in_class(&bucket.config.storage_class);
        let copy = Object::new(&wanted.destination, generation, source.digest(), attributes);
        let left = bucket.archive(live)?;
        bucket.backend.write(&copy, content, live)?;
        bucket.retire(left);
        let route = route(wanted);
        self.pending.retain(|_, pending| pending.route != route);
        Ok(copy.retained_for(self.bucket(&wanted.bucket)?.config.retention))
    }

    fn calls_needed(&self, source: &Object, bytes_per_call: i64) -> u64 {
        let calls = |limit: u64| match limit {
            0 => 1,
            limit => source.size.div_ceil(limit),
        };
        calls(u64::try_from(bytes_per_call).unwrap_or_default())
            .max(calls(self.rewrite_step))
            .max(self.rewrite_calls)
            .max(1)
    }

    /// The copy that the token belongs to.
    fn resume(&self, wanted: &Rewrite) -> Result<Option<Pending>> {
        if wanted.token.is_empty() {
            return Ok(None);
        }
        self.pending
            .get(&wanted.token)
            .filter(|pending| pending.route == route(wanted))
            .cloned()
            .map(Some)
            .ok_or_else(|| Refusal::invalid("The rewrite token is not one of this copy."))
    }

    fn suspend(&mut self, wanted: &Rewrite, generation: i64, calls: u64) -> String {
        // The tokens before stay good: a caller that lost this answer asks with its last one again.
        let token = format!("rewrite-{}", self.clock.next(0));
        let pending = Pending { route: route(wanted), generation, calls };
        self.pending.insert(token.clone(), pending);
        token
    }
}

fn route(wanted: &Rewrite) -> [String; 4] {
    [&wanted.source_bucket, &wanted.source, &wanted.bucket, &wanted.destination].map(Clone::clone)
}
