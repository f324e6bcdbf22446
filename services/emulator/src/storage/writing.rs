//! Uploading, changing, moving and deleting objects.
//!
//! Conditions are checked before holds: an object that is held and was replaced meanwhile answers with the condition.

use std::fmt;

use jiff::Timestamp;

use super::{
    access::Permission,
    condition::Conditions,
    core::Core,
    name,
    object::{Attributes, Object, Upload},
    refusal::{Refusal, Result},
};

/// A change of an object's attributes.
pub(crate) struct Edit(Box<dyn FnOnce(&mut Attributes) + Send>);

/// Which object becomes which.
#[derive(Clone, Debug, Default)]
pub(crate) struct Move {
    pub(crate) bucket: String,
    pub(crate) source: String,
    pub(crate) destination: String,
    /// What must hold of the source.
    pub(crate) source_conditions: Conditions,
    /// What must hold of the destination.
    pub(crate) conditions: Conditions,
}

impl Core {
    /// Creates or replaces an object.
    pub(crate) fn insert(
        &mut self,
        bucket: &str,
        name: &str,
        upload: Upload,
        conditions: &Conditions,
    ) -> Result<Object> {
        let live = self.destination(bucket, name, conditions)?;
        let digest = upload.digest()?;
        let generation = self
            .clock
            .next(live.as_ref().map_or(0, |live| live.generation));
        let object = Object::new(name, generation, digest, upload.attributes);
        let bucket = self.bucket(bucket)?;
        let left = bucket.leaving(live.as_ref())?;
        bucket
            .medium
            .write(&object, upload.content, live.as_ref())?;
        bucket.retire(left);
        Ok(object.retained_for(bucket.retention))
    }

    /// Whether an upload to this name could begin.
    pub(crate) fn check_upload(&mut self, bucket: &str, name: &str) -> Result<()> {
        self.access.check(Permission::Create, name)?;
        name::check_object(name)?;
        self.bucket(bucket)?;
        Ok(())
    }

    /// Changes an object's attributes: its metageneration grows, its generation stays.
    pub(crate) fn update(
        &mut self,
        bucket: &str,
        name: &str,
        generation: Option<i64>,
        conditions: &Conditions,
        edit: Edit,
    ) -> Result<Object> {
        self.access.check(Permission::Update, name)?;
        name::check_object(name)?;
        let bucket = self.bucket(bucket)?;
        let mut object = bucket.find(name, generation)?;
        conditions.check(Some(&object))?;
        (edit.0)(&mut object.attributes);
        object.metageneration += 1;
        object.updated = Timestamp::now();
        bucket.medium.annotate(&object)?;
        Ok(object)
    }

    /// Deletes an object; one that is named by its generation is not kept as a noncurrent version.
    pub(crate) fn delete(
        &mut self,
        bucket: &str,
        name: &str,
        generation: Option<i64>,
        conditions: &Conditions,
    ) -> Result<()> {
        self.access.check(Permission::Delete, name)?;
        name::check_object(name)?;
        let found = self.bucket(bucket)?;
        let object = found.find_version(name, generation)?;
        conditions.check(Some(&object))?;
        object.check_not_kept(bucket, Timestamp::now())?;
        if found.forget_version(name, object.generation) {
            return Ok(());
        }
        let left = match generation {
            Some(_) => None,
            None => found.leaving(Some(&object))?,
        };
        found.medium.remove(&object)?;
        found.retire(left);
        Ok(())
    }

    /// Renames an object within its bucket in one step: a new generation with the same content and metadata.
    pub(crate) fn rename(&mut self, wanted: &Move) -> Result<Object> {
        self.access.check(Permission::Move, &wanted.source)?;
        name::check_object(&wanted.source)?;
        if wanted.source == wanted.destination {
            return Err(Refusal::invalid(
                "The source and the destination of a move are the same object.",
            ));
        }
        let source = self.bucket(&wanted.bucket)?.find(&wanted.source, None)?;
        wanted.source_conditions.check(Some(&source))?;
        let live = self.destination(&wanted.bucket, &wanted.destination, &wanted.conditions)?;
        source.check_not_kept(&wanted.bucket, Timestamp::now())?;

        let floor = live.as_ref().map_or(0, |live| live.generation);
        let generation = self.clock.next(floor.max(source.generation));
        let attributes = source.attributes.clone();
        let moved = Object::new(&wanted.destination, generation, source.digest(), attributes);
        let bucket = self.bucket(&wanted.bucket)?;
        let left = [
            bucket.leaving(Some(&source))?,
            bucket.leaving(live.as_ref())?,
        ];
        bucket.medium.rename(&source, &moved, live.as_ref())?;
        for left in left {
            bucket.retire(left);
        }
        Ok(moved.retained_for(bucket.retention))
    }

    /// What is live at a name that is about to be written; refused when that may not be replaced.
    pub(super) fn destination(
        &mut self,
        bucket_name: &str,
        name: &str,
        conditions: &Conditions,
    ) -> Result<Option<Object>> {
        self.access.check(Permission::Create, name)?;
        name::check_object(name)?;
        let bucket = self.bucket(bucket_name)?;
        bucket.medium.check_name(name)?;
        let live = bucket.look(name)?;
        conditions.check(live.as_ref())?;
        if let Some(live) = &live {
            self.access.check(Permission::Delete, name)?;
            live.check_not_kept(bucket_name, Timestamp::now())?;
        }
        Ok(live)
    }
}

impl Edit {
    pub(crate) fn new(edit: impl FnOnce(&mut Attributes) + Send + 'static) -> Self {
        Self(Box::new(edit))
    }
}

impl fmt::Debug for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Edit")
    }
}
