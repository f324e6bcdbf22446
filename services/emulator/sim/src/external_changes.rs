//! What people do to a bucket behind the back of the code under test: no call is counted, no fault injected.

use bytes::Bytes;
use jiff::Timestamp;

use super::{
    Sim,
    history::Actor,
    state::{Request, State, check_held},
};
use brigade_storage::{
    NewObject, Operation,
    error::Result,
    object::{Metadata, Object},
};

impl Sim {
    /// Somebody uploads `content`, replacing whatever has that name.
    ///
    /// # Errors
    /// When there is no such bucket, the name is not legal, or what has it is held.
    pub fn upload(&self, bucket: &str, name: &str, content: impl Into<Bytes>) -> Result<Object> {
        self.upload_new(
            bucket,
            name,
            NewObject {
                content: content.into().into(),
                content_type: "application/octet-stream".into(),
                metadata: Metadata::new(),
            },
        )
    }

    /// The same with a content type and metadata.
    ///
    /// # Errors
    /// As [`Sim::upload`], and when the content is a file: nothing is read here.
    pub fn upload_new(&self, bucket: &str, name: &str, new: NewObject) -> Result<Object> {
        self.people(Operation::Create, bucket, name, |state, request| {
            state.create(request, None, new)
        })
    }

    /// Somebody deletes the live object.
    ///
    /// # Errors
    /// When there is none, or it is held.
    pub fn remove(&self, bucket: &str, name: &str) -> Result<()> {
        self.people(Operation::Delete, bucket, name, |state, request| {
            state.delete(request, None)
        })
    }

    /// Somebody moves the live object to another name, or to another bucket: its content and metadata go along, and
    /// what has that name already is replaced.
    ///
    /// # Errors
    /// When there is none, it is held, or what it would replace is.
    pub fn carry(&self, (bucket, name): (&str, &str), to: (&str, &str)) -> Result<Object> {
        self.people(Operation::Move, bucket, name, |state, request| {
            let found = state.get(request)?.clone();
            check_held(request, &found.object)?;
            let there = Request {
                operation: Operation::Create,
                bucket: to.0,
                name: to.1,
                ..request
            };
            let new = NewObject {
                content: found.content.into(),
                content_type: found.object.content_type,
                metadata: found.object.metadata,
            };
            let carried = state.create(there, None, new)?;
            state.delete(request, Some(found.object.generation))?;
            Ok(carried)
        })
    }

    /// Somebody sets custom metadata of the live object; an empty value removes its key.
    ///
    /// # Errors
    /// When there is no such object.
    pub fn annotate(&self, bucket: &str, name: &str, key: &str, value: &str) -> Result<Object> {
        self.change(bucket, name, |object| {
            if value.is_empty() {
                object.metadata.remove(key);
            } else {
                object.metadata.insert(key.to_owned(), value.to_owned());
            }
        })
    }

    /// Somebody sets or releases the temporary hold.
    ///
    /// # Errors
    /// When there is no such object.
    pub fn set_temporary_hold(&self, bucket: &str, name: &str, held: bool) -> Result<Object> {
        self.change(bucket, name, |object| object.temporary_hold = held)
    }

    /// Somebody sets or releases the event-based hold.
    ///
    /// # Errors
    /// When there is no such object.
    pub fn set_event_based_hold(&self, bucket: &str, name: &str, held: bool) -> Result<Object> {
        self.change(bucket, name, |object| object.event_based_hold = held)
    }

    /// Somebody keeps the object until a time.
    ///
    /// # Errors
    /// When there is no such object.
    pub fn retain(&self, bucket: &str, name: &str, until: Option<Timestamp>) -> Result<Object> {
        self.change(bucket, name, |object| object.retention_expires = until)
    }

    /// Makes the object one that was composed of others, which has no MD5.
    ///
    /// # Errors
    /// When there is no such object.
    pub fn make_composite(&self, bucket: &str, name: &str) -> Result<Object> {
        self.change(bucket, name, |object| object.md5 = None)
    }

    fn change(&self, bucket: &str, name: &str, change: impl FnOnce(&mut Object)) -> Result<Object> {
        self.people(Operation::Update, bucket, name, |state, request| {
            state.change(request, change)
        })
    }

    fn people<T>(
        &self,
        operation: Operation,
        bucket: &str,
        name: &str,
        act: impl FnOnce(&mut State, Request<'_>) -> Result<T>,
    ) -> Result<T> {
        let request = Request {
            operation,
            bucket,
            name,
            by: Actor::People,
            now: self.inner.clock.now(),
        };
        act(&mut self.inner.state(), request)
    }
}
