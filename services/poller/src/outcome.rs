//! What became of one object: for the log, for the poll's events, and for a caller that named it.

use std::{collections::HashMap, time::Duration};

use brigade_proto::v1::{ObjectSettled, ProcessResponse, Settlement};
use brigade_storage::Object;

use crate::{error::PollError, filter::Skip, mark::RecordedVerdict, request::ObjectRef, wire};

/// An object that waits for a slot, or that a shutdown cut short, is to be tried again after this.
pub(crate) const RETRY_SOON: Duration = Duration::from_secs(1);

/// The end of one object in a poll: the event, and what only the log and the next try need.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) settled: ObjectSettled,
    /// The worker's own figures and tags.
    pub(crate) labels: HashMap<String, String>,
    /// Of a failure, for metrics: one of a few.
    pub(crate) kind: &'static str,
    /// When to try again, unless the object has a verdict.
    pub(crate) retry_after: Option<Duration>,
    /// That could not be written on the object.
    pub(crate) is_unwritten: bool,
}

/// What became of an object that a caller named.
#[derive(Clone, Debug, PartialEq)]
pub enum ObjectResult {
    /// It is not this poller's, or not now. Nothing was done; the sweep takes it if that changes.
    Ignored(Ignored),
    /// It is settled; superseded counts too.
    Settled(Box<ObjectSettled>),
    /// It stays in the inbox, and the caller is to send it again.
    Retry {
        /// After this long at the earliest.
        after: Duration,
        /// For the operator.
        why: String,
    },
}

/// Why an object is not this poller's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// It is in another bucket, or outside the inbox.
    Elsewhere,
    /// A filter left it out.
    Filtered(Skip),
}

/// What every caller that waits for one object gets.
pub(crate) type SharedResult = Result<ObjectResult, PollError>;

// === impl Outcome ===

impl Outcome {
    pub(crate) fn new(object: &Object, settlement: Settlement) -> Self {
        Self {
            settled: ObjectSettled {
                object: Some(wire::object(object)),
                settlement: settlement.into(),
                ..ObjectSettled::default()
            },
            labels: HashMap::new(),
            kind: "none",
            retry_after: None,
            is_unwritten: false,
        }
    }

    pub(crate) fn accepted(object: &Object, response: ProcessResponse) -> Self {
        let mut outcome = Self::new(object, Settlement::Processed);
        outcome.settled.summary = response.summary;
        outcome.settled.outputs = response.outputs;
        outcome.labels = response.labels;
        outcome
    }

    /// By the verdict that is written on the object.
    pub(crate) fn recorded(object: &Object, verdict: &RecordedVerdict) -> Self {
        match verdict {
            RecordedVerdict::Processed => Self::new(object, Settlement::Processed),
            RecordedVerdict::Failed(reason) => {
                Self::new(object, Settlement::Failed).because(reason).of_kind("other")
            }
        }
    }

    pub(crate) fn superseded(object: &Object) -> Self {
        Self::new(object, Settlement::Superseded).because(SUPERSEDED)
    }

    /// Of the object that met an error which every other one would meet too.
    pub(crate) fn stopped(object: &Object, error: &PollError) -> Self {
        Self::new(object, Settlement::Stopped).because(&error.to_string())
    }

    pub(crate) fn because(mut self, reason: &str) -> Self {
        reason.clone_into(&mut self.settled.reason);
        self
    }

    pub(crate) fn of_kind(self, kind: &'static str) -> Self {
        Self { kind, ..self }
    }

    pub(crate) fn with_status(mut self, code: Option<i32>) -> Self {
        self.settled.status_code = code;
        self
    }

    pub(crate) fn moved_to(mut self, destination: String) -> Self {
        self.settled.destination = destination;
        self
    }

    /// The same, but that the object was not moved by its verdict.
    pub(crate) fn not_moved(mut self, settlement: Settlement, reason: &str) -> Self {
        self.settled.settlement = settlement.into();
        self.because(reason)
    }

    /// The same, but that another poller, or an upload, came first.
    pub(crate) fn superseded_by_another(self) -> Self {
        self.not_moved(Settlement::Superseded, SUPERSEDED)
    }

    pub(crate) fn settlement(&self) -> Settlement {
        self.settled.settlement()
    }

    /// Whether it was moved out of the inbox. One that was superseded may still be there, with another poller's verdict.
    pub(crate) fn is_moved(&self) -> bool {
        is_moved(&self.settled)
    }

    /// For a caller that named the object; nothing while it has neither a verdict nor a next try.
    pub(crate) fn to_result(&self) -> Option<ObjectResult> {
        match self.settlement() {
            // Its verdict is not written on it, so that no poll moves it by that.
            Settlement::Held if self.is_unwritten => Some(self.to_retry()),
            Settlement::Processed
            | Settlement::Failed
            | Settlement::Superseded
            | Settlement::Held => Some(ObjectResult::Settled(Box::new(self.settled.clone()))),
            Settlement::Retry => Some(self.to_retry()),
            Settlement::Enqueued
            | Settlement::AlreadyEnqueued
            | Settlement::Planned
            | Settlement::Stopped
            | Settlement::Unspecified => None,
        }
    }

    fn to_retry(&self) -> ObjectResult {
        ObjectResult::Retry {
            after: self.retry_after.unwrap_or(RETRY_SOON),
            why: self.settled.reason.clone(),
        }
    }
}

// === impl ObjectResult ===

impl ObjectResult {
    /// That generation is gone: it is settled already, or the name has a new one, which has an event of its own.
    pub(crate) fn superseded(object: &ObjectRef) -> Self {
        Self::Settled(Box::new(ObjectSettled {
            object: Some(brigade_proto::v1::Object {
                bucket: object.bucket.clone(),
                name: object.name.clone(),
                generation: object.generation.unwrap_or_default(),
                ..Default::default()
            }),
            settlement: Settlement::Superseded.into(),
            reason: "it was already settled, replaced or removed".into(),
            ..Default::default()
        }))
    }

    pub(crate) fn interrupted() -> Self {
        Self::Retry {
            after: RETRY_SOON,
            why: "this instance is shutting down, or has no free slot".into(),
        }
    }

    /// The same as of its outcome.
    pub(crate) fn is_moved(&self) -> bool {
        matches!(self, Self::Settled(settled) if is_moved(settled))
    }
}

fn is_moved(settled: &ObjectSettled) -> bool {
    matches!(settled.settlement(), Settlement::Processed | Settlement::Failed)
}

/// Why an object is left alone whose next try cannot be written on it.
pub(crate) const DEFERRED: &str = "storage refuses to move it, and to write that on it";

const SUPERSEDED: &str = "it was replaced, removed or settled by another poller meanwhile";
