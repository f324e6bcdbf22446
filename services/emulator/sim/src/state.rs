//! The model of Cloud Storage, with a history of what changed in it: synchronous, one step a call.

use bytes::Bytes;
use jiff::Timestamp;

use brigade_model::{
    Attributes, Conditions, Copied, Edit, Memory, Model, Move, Query, Rewrite, Upload,
};
use brigade_storage::{
    Content, Error, Kind, ListRequest, Metadata, NewObject, Object, Operation, Page, Pinned,
    Result, RewriteStep,
};

use super::{
    convert::{self, to_port},
    history::{Actor, Change, Mutation, Place},
};

/// All buckets, and what happened to them.
#[derive(Debug)]
pub(super) struct State {
    pub(super) model: Model,
    pub(super) history: Vec<Mutation>,
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

/// What one step of a copy asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Copy<'a> {
    pub(super) generation: i64,
    pub(super) bucket: &'a str,
    pub(super) name: &'a str,
    pub(super) metadata: Option<&'a Metadata>,
    pub(super) token: Option<&'a str>,
}

// === impl Request ===

impl Request<'_> {
    pub(super) fn failed(&self, kind: Kind, detail: impl Into<String>) -> Error {
        Error::new(kind, self.operation, self.bucket, self.name, detail)
    }

    fn place(&self, generation: i64) -> Place {
        Place { bucket: self.bucket.to_owned(), name: self.name.to_owned(), generation }
    }

    /// The model's answer as the port's.
    fn answer<T>(&self, answer: brigade_model::Result<T>) -> Result<T> {
        answer.map_err(|refusal| self.failed(convert::kind(refusal.kind), refusal.message))
    }

    fn object(&self, answer: brigade_model::Result<brigade_model::Object>) -> Result<Object> {
        Ok(to_port(self.bucket, self.answer(answer)?))
    }
}

// === impl State ===

impl State {
    pub(super) fn new(model: Model) -> Self {
        Self { model, history: Vec::new() }
    }

    pub(super) fn add_bucket(&mut self, name: &str) {
        // One that is there stays as it is.
        let _ = self.model.add_bucket(name, Box::new(Memory::default()));
    }

    pub(super) fn objects(&mut self, bucket: &str) -> Vec<Object> {
        let found = self.model.bucket(bucket).and_then(|found| found.objects(""));
        let objects = found.unwrap_or_default().into_iter();
        objects.map(|object| to_port(bucket, object)).collect()
    }

    pub(super) fn noncurrent(&mut self, bucket: &str) -> Vec<Object> {
        match self.model.bucket(bucket) {
            Ok(found) => found.noncurrent().map(|object| to_port(bucket, object.clone())).collect(),
            Err(_) => Vec::new(),
        }
    }

    pub(super) fn content(&mut self, bucket: &str, name: &str) -> Option<Bytes> {
        let read = self.model.read(bucket, name, None, &Conditions::default(), None);
        read.and_then(|(_, _, content)| content.into_bytes()).ok()
    }

    pub(super) fn list(&mut self, request: Request<'_>, page: &ListRequest) -> Result<Page> {
        let query = Query {
            prefix: page.prefix.clone(),
            start: page.start.clone(),
            page_size: page.page_size,
            page_token: page.page_token.clone(),
            ..Query::default()
        };
        let found = request.answer(self.model.list(request.bucket, &query))?;
        let objects = found.objects.into_iter();
        Ok(Page {
            objects: objects.map(|object| to_port(request.bucket, object)).collect(),
            next: found.next,
        })
    }

    pub(super) fn get(&mut self, request: Request<'_>) -> Result<Object> {
        self.get_if(request, &Conditions::default())
    }

    fn get_if(&mut self, request: Request<'_>, conditions: &Conditions) -> Result<Object> {
        let Request { bucket, name, .. } = request;
        request.object(self.model.get(bucket, name, None, conditions))
    }

    pub(super) fn create(
        &mut self,
        request: Request<'_>,
        replaces: Option<i64>,
        new: NewObject,
    ) -> Result<Object> {
        let Content::Bytes(content) = new.content else {
            return Err(request.failed(Kind::Invalid, "a file is read before it comes here"));
        };
        let attributes = Attributes {
            content_type: new.content_type,
            metadata: merged(&Metadata::new(), &new.metadata),
            ..Attributes::default()
        };
        let upload = Upload::new(content, attributes);
        let Request { bucket, name, .. } = request;
        let before = self.live(bucket, name).map(|live| live.generation);
        let conditions = generation(replaces);
        let made = request.object(self.model.insert(bucket, name, upload, &conditions))?;
        self.record(request, made.generation, Change::Created { replaced: before });
        Ok(made)
    }

    pub(super) fn update(
        &mut self,
        request: Request<'_>,
        generation: i64,
        metageneration: i64,
        metadata: &Metadata,
    ) -> Result<Object> {
        let conditions = exactly(generation, metageneration);
        if metadata.is_empty() {
            return self.get_if(request, &conditions);
        }
        let metadata = metadata.clone();
        let edit = Edit::new(move |attributes| {
            attributes.metadata = merged(&attributes.metadata, &metadata);
        });
        self.edit(request, &conditions, edit)
    }

    /// Changes attributes of the live object; its content and generation stay.
    pub(super) fn edit(
        &mut self,
        request: Request<'_>,
        conditions: &Conditions,
        edit: Edit,
    ) -> Result<Object> {
        let Request { bucket, name, .. } = request;
        let answer = self.model.update(bucket, name, None, conditions, edit);
        self.changed(request, answer)
    }

    pub(super) fn make_composite(&mut self, request: Request<'_>) -> Result<Object> {
        let answer = self.model.make_composite(request.bucket, request.name);
        self.changed(request, answer)
    }

    fn changed(
        &mut self,
        request: Request<'_>,
        answer: brigade_model::Result<brigade_model::Object>,
    ) -> Result<Object> {
        let changed = request.object(answer)?;
        let change = Change::Updated {
            metageneration: changed.metageneration,
            metadata: changed.metadata.clone(),
        };
        self.record(request, changed.generation, change);
        Ok(changed)
    }

    pub(super) fn rename(
        &mut self,
        request: Request<'_>,
        source: Pinned<'_>,
        metageneration: i64,
        destination: &str,
    ) -> Result<Object> {
        let wanted = Move {
            bucket: request.bucket.to_owned(),
            source: request.name.to_owned(),
            destination: destination.to_owned(),
            source_conditions: exactly(source.generation, metageneration),
            conditions: generation(Some(0)),
        };
        let moved = request.object(self.model.rename(&wanted))?;
        let to = place_of(&moved);
        self.record(request, source.generation, Change::Moved { to });
        Ok(moved)
    }

    pub(super) fn rewrite(&mut self, request: Request<'_>, copy: Copy<'_>) -> Result<RewriteStep> {
        let source = self.live(request.bucket, request.name);
        let attributes = copy.metadata.zip(source).map(|(changes, source)| {
            let metadata = merged(&source.attributes.metadata, changes);
            Attributes { metadata, ..source.attributes.copied() }
        });
        let wanted = Rewrite {
            source_bucket: request.bucket.to_owned(),
            source: request.name.to_owned(),
            source_conditions: generation(Some(copy.generation)),
            bucket: copy.bucket.to_owned(),
            destination: copy.name.to_owned(),
            conditions: generation(Some(0)),
            attributes,
            token: copy.token.unwrap_or_default().to_owned(),
            ..Rewrite::default()
        };
        let made = match request.answer(self.model.rewrite(&wanted))?.outcome {
            Copied::More(token) => return Ok(RewriteStep::More(token)),
            Copied::Done(made) => to_port(copy.bucket, *made),
        };
        let to = place_of(&made);
        self.record(request, copy.generation, Change::Copied { to });
        Ok(RewriteStep::Done(Box::new(made)))
    }

    pub(super) fn delete(&mut self, request: Request<'_>, pinned: Option<i64>) -> Result<()> {
        let Request { bucket, name, .. } = request;
        let live = self.live(bucket, name).map(|live| live.generation);
        request.answer(self.model.delete(bucket, name, None, &generation(pinned)))?;
        self.record(request, live.unwrap_or_default(), Change::Deleted);
        Ok(())
    }

    pub(super) fn erase(&mut self, request: Request<'_>, generation: i64) -> Result<()> {
        let Request { bucket, name, .. } = request;
        let version = Some(generation);
        let conditions = Conditions::default();
        request.answer(self.model.delete(bucket, name, version, &conditions))?;
        self.record(request, generation, Change::Erased);
        Ok(())
    }

    /// The content of exactly this version, live or noncurrent, from `offset` on.
    pub(super) fn read(
        &mut self,
        request: Request<'_>,
        generation: i64,
        offset: u64,
    ) -> Result<Bytes> {
        let Request { bucket, name, .. } = request;
        let (version, conditions) = (Some(generation), Conditions::default());
        let read = self.model.read(bucket, name, version, &conditions, None);
        let content = request.answer(read.and_then(|(_, _, content)| content.into_bytes()))?;
        match usize::try_from(offset) {
            Ok(offset) if offset <= content.len() => Ok(content.slice(offset..)),
            _ => Err(request.failed(Kind::Invalid, "the offset is beyond the end")),
        }
    }

    fn live(&mut self, bucket: &str, name: &str) -> Option<brigade_model::Object> {
        self.model.bucket(bucket).ok()?.look(name).ok()?
    }

    fn record(&mut self, request: Request<'_>, generation: i64, change: Change) {
        self.history.push(Mutation {
            at: request.now,
            by: request.by,
            place: request.place(generation),
            change,
        });
    }
}

fn place_of(object: &Object) -> Place {
    Place {
        bucket: object.bucket.clone(),
        name: object.name.clone(),
        generation: object.generation,
    }
}

fn generation(wanted: Option<i64>) -> Conditions {
    Conditions { generation_match: wanted, ..Conditions::default() }
}

fn exactly(generation: i64, metageneration: i64) -> Conditions {
    Conditions {
        generation_match: Some(generation),
        metageneration_match: Some(metageneration),
        ..Conditions::default()
    }
}

/// `changes` merged into `base`; a key with an empty value is removed.
fn merged(base: &Metadata, changes: &Metadata) -> Metadata {
    let mut merged = base.clone();
    merged.extend(changes.clone());
    merged.retain(|_, value| !value.is_empty());
    merged
}
