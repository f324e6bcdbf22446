//! What callers ask for: a poll, or one object.

use std::time::Duration;

/// A sender's time begins when it sends, and an instance may have to start first.
pub(crate) const ON_THE_WAY: Duration = Duration::from_secs(10);

/// What asked for a poll or an object, and how long it waits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trigger {
    /// `grpc`, `http`, `scheduler`, `tasks`, `pubsub`, `eventarc`.
    pub kind: &'static str,
    /// The Scheduler job, the Tasks queue, the subscription.
    pub name: String,
    /// The caller's own id of this request: the schedule time, the task, the message.
    pub id: String,
    /// How often the caller has sent this request before; for Pub/Sub the number of this delivery.
    pub attempt: Option<u64>,
    /// Pub/Sub's ordering key.
    pub ordering_key: String,
    /// The caller's own deadline.
    pub deadline: Option<Duration>,
    /// The caller wants no event of a poll but its end.
    pub summary_only: bool,
}

/// An object as a caller names it. It may not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectRef {
    /// Its bucket.
    pub bucket: String,
    /// Its whole name.
    pub name: String,
    /// Its generation; the live one when the caller names none.
    pub generation: Option<i64>,
}

// === impl Trigger ===

impl Trigger {
    /// Around every log line about an object that this trigger named.
    pub(crate) fn span(&self, object: &ObjectRef) -> tracing::Span {
        tracing::info_span!(
            "event",
            trigger = self.kind,
            name = %self.name,
            id = %self.id,
            attempt = self.attempt,
            ordering_key = %self.ordering_key,
            object = %object.uri(),
            generation = object.generation,
        )
    }
}

// === impl ObjectRef ===

impl ObjectRef {
    pub(crate) fn uri(&self) -> String {
        format!("gs://{}/{}", self.bucket, self.name)
    }
}
