//! Uploading, changing, moving and deleting objects.
//!
//! Conditions are checked before holds: an object that is held and was replaced meanwhile answers with the condition.

use std::fmt;

use crate::{
    access::Permission,
    condition::Conditions,
    draft::Draft,
    metadata,
    model::Model,
    name,
    object::{Attributes, Object, Upload},
    refusal::{Refusal, Result},
};

/// A change of an object's attributes.
pub struct Edit(Box<dyn FnOnce(&mut Attributes) + Send>);

/// Which object becomes which.
#[derive(Clone, Debug, Default)]
pub struct Move {
    /// The bucket of both.
    pub bucket: String,
    /// The name that it has.
    pub source: String,
    /// The name that it gets.
    pub destination: String,
    /// What must hold of the source.
    pub source_conditions: Conditions,
    /// What must hold of the destination.
    pub conditions: Conditions,
}

impl Model {
    /// Creates or replaces an object.
    pub fn insert(
        &mut self,
        bucket: &str,
        name: &str,
        upload: Upload,
        conditions: &Conditions,
    ) -> Result<Object> {
        let live = self.destination(bucket, name, conditions)?;
        let digest = upload.digest()?;
        metadata::check(&upload.attributes.metadata)?;
        self.count_write(bucket, name)?;
        let generation = self.next_generation(bucket, name, 0)?;
        let bucket = self.bucket(bucket)?;
        let attributes = upload.attributes.in_class(&bucket.config.storage_class);
        let object = Object::new(name, generation, digest, attributes);
        let left = bucket.archive(live.as_ref())?;
        bucket.backend.write(&object, upload.content, live.as_ref())?;
        bucket.retire(left);
        Ok(object.retained_for(bucket.config.retention))
    }

    /// Begins an upload to this name: where its content is kept while it arrives.
    pub fn begin_upload(&mut self, bucket: &str, name: &str) -> Result<Draft> {
        self.access.check(Permission::Create, name)?;
        name::check_object(name)?;
        Ok(self.bucket(bucket)?.backend.draft())
    }

    /// Changes an object's attributes: its metageneration grows, its generation stays.
    pub fn update(
        &mut self,
        bucket: &str,
        name: &str,
        generation: Option<i64>,
        conditions: &Conditions,
        edit: Edit,
    ) -> Result<Object> {
        let edit = |object: &mut Object| (edit.0)(&mut object.attributes);
        self.change(bucket, name, generation, conditions, edit)
    }

    /// Makes the object one that was composed of others, which has no MD5.
    pub fn make_composite(&mut self, bucket: &str, name: &str) -> Result<Object> {
        let edit = |object: &mut Object| object.md5 = None;
        self.change(bucket, name, None, &Conditions::default(), edit)
    }

    fn change(
        &mut self,
        bucket: &str,
        name: &str,
        generation: Option<i64>,
        conditions: &Conditions,
        edit: impl FnOnce(&mut Object),
    ) -> Result<Object> {
        let mut object = self.find(Permission::Update, bucket, name, generation)?;
        conditions.check(Some(&object))?;
        let was_held = object.attributes.event_based_hold;
        edit(&mut object);
        metadata::check(&object.attributes.metadata)?;
        self.count_write(bucket, name)?;
        let now = self.clock.now();
        if was_held && !object.attributes.event_based_hold {
            object.released = Some(now);
        }
        let bucket = self.bucket(bucket)?;
        object.metageneration += 1;
        object.updated = now.max(object.updated);
        bucket.backend.annotate(&object)?;
        Ok(object.retained_for(bucket.config.retention))
    }

    /// Deletes an object; one that is named by its generation is not kept as a noncurrent version.
    pub fn delete(
        &mut self,
        bucket: &str,
        name: &str,
        generation: Option<i64>,
        conditions: &Conditions,
    ) -> Result<()> {
        let object = self.find_version(Permission::Delete, bucket, name, generation)?;
        conditions.check_read(&object)?;
        object.check_not_kept(bucket, self.clock.now())?;
        self.count_write(bucket, name)?;
        let found = self.bucket(bucket)?;
        if found.forget_version(name, object.generation) {
            return Ok(());
        }
        let left = match generation {
            Some(_) => None,
            None => found.archive(Some(&object))?,
        };
        found.backend.remove(&object)?;
        found.retire(left);
        Ok(())
    }

    /// Renames an object within its bucket in one step: a new generation with the same content and metadata.
    pub fn rename(&mut self, wanted: &Move) -> Result<Object> {
        if wanted.source == wanted.destination {
            return Err(Refusal::invalid(
                "The source and the destination of a move are the same object.",
            ));
        }
        let source = self.find(Permission::Move, &wanted.bucket, &wanted.source, None)?;
        wanted.source_conditions.check(Some(&source))?;
        let live = self.destination(&wanted.bucket, &wanted.destination, &wanted.conditions)?;
        source.check_not_kept(&wanted.bucket, self.clock.now())?;

        let (bucket, name) = (&wanted.bucket, &wanted.destination);
        self.count_write(bucket, &wanted.source)?;
        self.count_write(bucket, name)?;
        let generation = self.next_generation(bucket, name, source.generation)?;
        let attributes = source.attributes.clone();
        let moved = Object::new(&wanted.destination, generation, source.digest(), attributes);
        let bucket = self.bucket(&wanted.bucket)?;
        let left = [bucket.archive(Some(&source))?, bucket.archive(live.as_ref())?];
        bucket.backend.rename(&source, &moved, live.as_ref())?;
        for left in left {
            bucket.retire(left);
        }
        Ok(moved.retained_for(bucket.config.retention))
    }

    /// What is live at a name that is about to be written; refused when that may not be replaced.
    pub(crate) fn destination(
        &mut self,
        bucket_name: &str,
        name: &str,
        conditions: &Conditions,
    ) -> Result<Option<Object>> {
        self.access.check(Permission::Create, name)?;
        name::check_object(name)?;
        let now = self.clock.now();
        let bucket = self.bucket(bucket_name)?;
        bucket.backend.check_name(name)?;
        let live = bucket.look(name)?;
        conditions.check(live.as_ref())?;
        if let Some(live) = &live {
            self.access.check(Permission::Delete, name)?;
            live.check_not_kept(bucket_name, now)?;
        }
        Ok(live)
    }
}

impl Edit {
    /// A change that this function makes.
    pub fn new(edit: impl FnOnce(&mut Attributes) + Send + 'static) -> Self {
        Self(Box::new(edit))
    }
}

impl fmt::Debug for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Edit")
    }
}
