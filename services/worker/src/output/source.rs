//! The object that a run's outputs are made of, and the marks that name it.

use brigade_proto::v1;
use brigade_storage::{
    Location, Metadata, Object, ObjectRef, Pinned,
    provenance::{self, Origin},
};

/// The object generation that a run works on.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(super) bucket: String,
    pub(super) name: String,
    pub(super) generation: i64,
    inbox: Option<Location>,
}

// === impl Source ===

impl Source {
    pub(crate) fn new(object: &v1::Object, inbox: Option<&Location>) -> Self {
        Self {
            bucket: object.bucket.clone(),
            name: object.name.clone(),
            generation: object.generation,
            inbox: inbox.cloned(),
        }
    }

    /// Its name below the inbox; the whole name when a caller named the object directly.
    pub(crate) fn path(&self) -> &str {
        self.inbox.as_ref().map_or(&self.name, |inbox| inbox.below(&self.name))
    }

    pub(super) fn is_same_object(&self, origin: &Origin) -> bool {
        origin.bucket == self.bucket && origin.name == self.name
    }

    /// The custom metadata of its outputs; `live` is the object itself.
    pub(super) fn marks(&self, run: &str, live: &Object) -> Metadata {
        let pinned = self.pinned();
        let hops = provenance::hops(&live.metadata).saturating_add(1);
        let mut marks = Metadata::from(
            [
                (provenance::SOURCE, provenance::source(&self.bucket, pinned)),
                (provenance::KEY, provenance::key(&self.bucket, pinned)),
                (provenance::RUN, run.to_owned()),
                (provenance::HOPS, hops.to_string()),
            ]
            .map(|(key, value)| (key.to_owned(), value)),
        );
        let inbox = self.inbox.as_ref();
        marks.extend(inbox.map(|inbox| (provenance::INBOX.to_owned(), inbox.uri())));
        marks
    }

    /// For logs.
    pub(super) fn key(&self) -> String {
        provenance::key(&self.bucket, self.pinned())
    }

    /// For messages.
    pub(super) fn object_ref(&self) -> ObjectRef<'_> {
        ObjectRef { bucket: &self.bucket, name: &self.name }
    }

    fn pinned(&self) -> Pinned<'_> {
        Pinned { name: &self.name, generation: self.generation }
    }
}
