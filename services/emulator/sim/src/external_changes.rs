//! What other users do to a bucket beside the code under test: no call is counted, no fault injected.

use brigade_model::{Attributes, Conditions, Edit};
use bytes::Bytes;
use jiff::Timestamp;

use super::{
    Sim,
    history::Actor,
    state::{Request, State},
};
use brigade_storage::{
    Kind, NewObject, Operation,
    error::Result,
    object::{Metadata, Object},
};

impl Sim {
    /// Uploads `content`, replacing whatever has that name.
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
        self.externally(Operation::Create, bucket, name, |state, request| {
            state.create(request, None, new)
        })
    }

    /// Deletes the live object.
    ///
    /// # Errors
    /// When there is none, or it is held.
    pub fn remove(&self, bucket: &str, name: &str) -> Result<()> {
        self.externally(Operation::Delete, bucket, name, |state, request| {
            state.delete(request, None)
        })
    }

    /// Moves the live object to another name, or to another bucket: its content and metadata go along, and
    /// what has that name already is replaced.
    ///
    /// # Errors
    /// When there is none, it is held, or what it would replace is.
    pub fn carry(&self, (bucket, name): (&str, &str), to: (&str, &str)) -> Result<Object> {
        self.externally(Operation::Move, bucket, name, |state, request| {
            let found = state.get(request)?;
            if let Some(why) = found.held(request.now) {
                return Err(request.failed(Kind::Held, why));
            }
            let content = state.content(bucket, name).unwrap_or_default();
            let there =
                Request { operation: Operation::Create, bucket: to.0, name: to.1, ..request };
            let new = NewObject {
                content: content.into(),
                content_type: found.content_type,
                metadata: found.metadata,
            };
            let carried = state.create(there, None, new)?;
            state.delete(request, Some(found.generation))?;
            Ok(carried)
        })
    }

    /// Sets custom metadata of the live object; an empty value removes its key.
    ///
    /// # Errors
    /// When there is no such object.
    pub fn annotate(&self, bucket: &str, name: &str, key: &str, value: &str) -> Result<Object> {
        let (key, value) = (key.to_owned(), value.to_owned());
        self.edit(bucket, name, move |attributes| {
            if value.is_empty() {
                attributes.metadata.remove(&key);
            } else {
                attributes.metadata.insert(key, value);
            }
        })
    }

    /// Sets or releases the temporary hold.
    ///
    /// # Errors
    /// When there is no such object.
    pub fn set_temporary_hold(&self, bucket: &str, name: &str, held: bool) -> Result<Object> {
        self.edit(bucket, name, move |attributes| {
            attributes.temporary_hold = held;
        })
    }

    /// Sets or releases the event-based hold.
    ///
    /// # Errors
    /// When there is no such object.
    pub fn set_event_based_hold(&self, bucket: &str, name: &str, held: bool) -> Result<Object> {
        self.edit(bucket, name, move |attributes| {
            attributes.event_based_hold = held;
        })
    }

    /// Keeps the object until a time.
    ///
    /// # Errors
    /// When there is no such object.
    pub fn retain(&self, bucket: &str, name: &str, until: Option<Timestamp>) -> Result<Object> {
        self.edit(bucket, name, move |attributes| {
            attributes.retain_until = until;
        })
    }

    /// Makes the object one that was composed of others, which has no MD5.
    ///
    /// # Errors
    /// When there is no such object.
    pub fn make_composite(&self, bucket: &str, name: &str) -> Result<Object> {
        self.externally(Operation::Update, bucket, name, State::make_composite)
    }

    /// What a delete with the `generation` parameter does: removes exactly this version for good. The port has no such
    /// call; this one stands for code that made it all the same.
    ///
    /// # Errors
    /// When there is no such version, or it is held.
    pub fn erase(&self, bucket: &str, name: &str, generation: i64) -> Result<()> {
        let request = Request {
            operation: Operation::Delete,
            bucket,
            name,
            by: Actor::Port,
            now: self.inner.clock.now(),
        };
        self.inner.state().erase(request, generation)
    }

    /// Changes how the live object is stored.
    ///
    /// # Errors
    /// When there is no such object.
    pub fn edit(
        &self,
        bucket: &str,
        name: &str,
        edit: impl FnOnce(&mut Attributes) + Send + 'static,
    ) -> Result<Object> {
        self.externally(Operation::Update, bucket, name, |state, request| {
            state.edit(request, &Conditions::default(), Edit::new(edit))
        })
    }

    fn externally<T>(
        &self,
        operation: Operation,
        bucket: &str,
        name: &str,
        act: impl FnOnce(&mut State, Request<'_>) -> Result<T>,
    ) -> Result<T> {
        let request =
            Request { operation, bucket, name, by: Actor::External, now: self.inner.clock.now() };
        act(&mut self.inner.state(), request)
    }
}
