//! Copying objects, in one call or in several.

use super::{
    access::Permission,
    condition::Conditions,
    core::Core,
    name,
    object::{Attributes, Object, Upload},
    refusal::{Refusal, Result},
};

/// Limits of one call are given in steps of this many bytes.
const QUANTUM: i64 = 1024 * 1024;

/// What to copy, and where.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rewrite {
    pub(crate) source_bucket: String,
    pub(crate) source: String,
    pub(crate) source_generation: Option<i64>,
    pub(crate) source_conditions: Conditions,
    pub(crate) bucket: String,
    pub(crate) destination: String,
    pub(crate) conditions: Conditions,
    /// The copy's attributes; without them it has the source's, holds excepted.
    pub(crate) attributes: Option<Attributes>,
    /// Of the call before; empty for the first.
    pub(crate) token: String,
    /// How much one call may copy; 0: no limit.
    pub(crate) bytes_per_call: i64,
}

/// How far a copy got.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    pub(crate) written: u64,
    pub(crate) size: u64,
    pub(crate) outcome: Outcome,
}

/// Whether a copy is there.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// It is.
    Done(Box<Object>),
    /// Call again with this token.
    More(String),
}

/// A copy under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pending {
    /// From where to where.
    route: [String; 4],
    generation: i64,
    calls: u64,
}

impl Core {
    /// One step of a copy. Nothing is visible at the destination before the last.
    pub(crate) fn rewrite(&mut self, wanted: &Rewrite) -> Result<Progress> {
        self.access.check(Permission::Get, &wanted.source)?;
        name::check_object(&wanted.source)?;
        if wanted.bytes_per_call < 0 || wanted.bytes_per_call % QUANTUM != 0 {
            return Err(Refusal::invalid(
                "maxBytesRewrittenPerCall must be a multiple of 1 MiB.",
            ));
        }
        let before = self.resume(wanted)?;
        let generation = before
            .as_ref()
            .map(|p| p.generation)
            .or(wanted.source_generation);
        let source = self
            .bucket(&wanted.source_bucket)?
            .find(&wanted.source, generation)?;
        wanted.source_conditions.check(Some(&source))?;
        let live = self.destination(&wanted.bucket, &wanted.destination, &wanted.conditions)?;

        let calls = before.map_or(0, |p| p.calls) + 1;
        let needed = self.calls_needed(&source, wanted.bytes_per_call);
        let outcome = if calls < needed {
            Outcome::More(self.suspend(wanted, source.generation, calls))
        } else {
            Outcome::Done(Box::new(self.copy(wanted, &source, live.as_ref())?))
        };
        Ok(Progress {
            written: source.size * calls.min(needed) / needed,
            size: source.size,
            outcome,
        })
    }

    fn copy(&mut self, wanted: &Rewrite, source: &Object, live: Option<&Object>) -> Result<Object> {
        let content = self
            .bucket(&wanted.source_bucket)?
            .medium
            .read(source, 0..source.size)?;
        let generation = self.clock.next(live.map_or(0, |live| live.generation));
        let attributes = wanted
            .attributes
            .clone()
            .unwrap_or_else(|| travelling(&source.attributes));
        let upload = Upload {
            content,
            crc32c: Some(source.crc32c),
            md5: Some(source.md5),
            attributes,
        };
        let digest = upload.digest()?;
        let copy = Object::new(&wanted.destination, generation, digest, upload.attributes);
        let bucket = self.bucket(&wanted.bucket)?;
        let left = bucket.leaving(live)?;
        bucket.medium.write(&copy, upload.content, live)?;
        bucket.retire(left);
        self.pending.remove(&wanted.token);
        Ok(copy.retained_for(self.bucket(&wanted.bucket)?.retention))
    }

    fn calls_needed(&self, source: &Object, bytes_per_call: i64) -> u64 {
        let by_size = match u64::try_from(bytes_per_call) {
            Ok(limit) if limit > 0 => source.size.div_ceil(limit),
            _ => 1,
        };
        by_size.max(self.rewrite_calls).max(1)
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
        self.pending.remove(&wanted.token);
        let token = format!("rewrite-{}", self.clock.next(0));
        let pending = Pending {
            route: route(wanted),
            generation,
            calls,
        };
        self.pending.insert(token.clone(), pending);
        token
    }
}

fn route(wanted: &Rewrite) -> [String; 4] {
    [
        &wanted.source_bucket,
        &wanted.source,
        &wanted.bucket,
        &wanted.destination,
    ]
    .map(Clone::clone)
}

/// A copy has what describes the content; holds stay with the source, and the class is the destination's to choose.
fn travelling(source: &Attributes) -> Attributes {
    Attributes {
        temporary_hold: false,
        event_based_hold: false,
        storage_class: String::new(),
        ..source.clone()
    }
}
