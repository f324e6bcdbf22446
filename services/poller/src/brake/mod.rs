//! The inbox's brake: after many refusals in a row, with none accepted, the worker gets no object for a while, then a few as
//! a probe. So a broken deployment costs few objects.
//!
//! Its state is one object beside the lease, so that all instances and later polls share it. Every write names the
//! generation that it replaces. Like the lease it only saves objects and work: an instance that cannot read it goes on.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use brigade_proto::v1;
use brigade_storage::{Bucket, Location, Metadata, NewObject, Object, Pinned};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    clock::Clock,
    dispatch::Reason,
    filter::CONTROL_PREFIX,
    metrics,
    retry::{self, is_conflict},
    wire,
};

/// The first and the longest time without a call.
const MIN_PAUSE: Duration = Duration::from_mins(1);
const MAX_PAUSE: Duration = Duration::from_mins(10);
/// Objects of the first and of the largest probe.
const MIN_PROBE: u32 = 5;
const MAX_PROBE: u32 = 200;
/// The same, by the steps that the pause doubles and the probe grows.
const MAX_STEP: u32 = 10;
/// A brake that goes on so soon after it was lifted goes on where it was.
const RELAPSE: Duration = Duration::from_mins(10);
/// How old what events and tasks know of it may be.
const MAX_AGE: Duration = Duration::from_secs(10);

/// All of its state, as JSON in the object's metadata: one look reads it.
const STATE: &str = "brigade-brake";

/// The brake of one inbox.
#[derive(Debug)]
pub(crate) struct Brake {
    bucket: Arc<dyn Bucket>,
    name: String,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    read: Option<Instant>,
    on: Option<On>,
    /// Of whatever is at its name.
    generation: i64,
    /// When it was lifted here, and what it was.
    lifted: Option<(Instant, On)>,
    /// This instance has let a probe begin since it was put on.
    is_probing: bool,
    /// It is being written.
    is_pending: bool,
}

/// A brake that is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct On {
    generation: i64,
    step: u32,
    /// When it was first put on: what was uploaded later is asked about first.
    pub(crate) since: Timestamp,
    /// Nothing is asked before.
    pub(crate) until: Timestamp,
    pub(crate) reasons: Vec<Reason>,
    /// The folders of refused objects: others are asked about first.
    pub(crate) prefixes: Vec<String>,
}

/// What it lets through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    /// Everything.
    Free,
    /// A few objects.
    Probe(On),
    /// Nothing.
    Closed(On),
}

// === impl Brake ===

impl Brake {
    pub(crate) fn new(bucket: Arc<dyn Bucket>, inbox: &Location) -> Self {
        let name = format!("{CONTROL_PREFIX}{}brake", inbox.prefix);
        Self { bucket, name, known: Mutex::default() }
    }

    /// What it lets through now, by a look.
    pub(crate) async fn look(&self, now: Timestamp) -> Passage {
        match retry::live_object(&*self.bucket, &self.name).await {
            Ok(found) => {
                let mut known = self.known();
                known.generation = found.as_ref().map_or(0, |found| found.generation);
                known.on = found.as_ref().and_then(On::read);
                known.read = Some(Instant::now());
                metrics::brake(known.on.is_some());
            }
            Err(error) => {
                tracing::warn!(%error, brake = self.name, "could not read the inbox's brake; going on");
            }
        }
        self.passage(now)
    }

    /// The same, by a look that is at most 10 s old.
    pub(crate) async fn glance(&self, now: Timestamp) -> Passage {
        let read = self.known().read;
        match read {
            Some(read) if read.elapsed() < MAX_AGE => self.passage(now),
            Some(_) | None => self.look(now).await,
        }
    }

    fn passage(&self, now: Timestamp) -> Passage {
        match &self.known().on {
            None => Passage::Free,
            Some(on) if on.until > now => Passage::Closed(on.clone()),
            Some(on) => Passage::Probe(on.clone()),
        }
    }

    /// Whether it is on, as far as this instance knows.
    pub(crate) fn is_on(&self) -> bool {
        self.known().on.is_some()
    }

    /// Whether this instance is about to put it on.
    pub(crate) fn is_pending(&self) -> bool {
        self.known().is_pending
    }

    /// What it is, as far as this instance knows.
    pub(crate) fn on(&self) -> Option<On> {
        self.known().on.clone()
    }

    /// Whether this is the first object of a probe on this instance.
    pub(crate) fn begin_probe(&self) -> bool {
        let mut known = self.known();
        !std::mem::replace(&mut known.is_probing, true)
    }

    /// Puts it on, or on for longer. What another instance has written meanwhile stays.
    pub(crate) async fn put_on(
        &self,
        reasons: Vec<Reason>,
        prefixes: Vec<String>,
        clock: &dyn Clock,
    ) -> On {
        // Whole seconds, for people.
        self.known().is_pending = true;
        let now = Timestamp::from_second(clock.now().as_second()).unwrap_or(Timestamp::MAX);
        let on = self.next(reasons, prefixes, now);
        let replaces = on.generation;
        let new = NewObject { metadata: on.written(), ..NewObject::default() };
        let on = match self.bucket.create(&self.name, replaces, new).await {
            Ok(object) => On { generation: object.generation, ..on },
            Err(error) if is_conflict(&error) || error.is_transient() => {
                // Another instance was first, or its answer was lost.
                self.look(now).await;
                self.known().on.clone().unwrap_or(on)
            }
            Err(error) => {
                tracing::warn!(%error, brake = self.name, "could not write the inbox's brake; this instance keeps it");
                on
            }
        };
        let mut known = self.known();
        known.generation = on.generation;
        known.on = Some(on.clone());
        metrics::brake(true);
        known.read = Some(Instant::now());
        known.is_probing = false;
        known.is_pending = false;
        on
    }

    fn next(&self, reasons: Vec<Reason>, prefixes: Vec<String>, now: Timestamp) -> On {
        let known = self.known();
        let lifted = known.lifted.as_ref().filter(|(at, _)| at.elapsed() < RELAPSE);
        let before = known.on.as_ref().or(lifted.map(|(_, on)| on));
        let step = before.map_or(0, |on| (on.step + 1).min(MAX_STEP));
        let pause = MIN_PAUSE.saturating_mul(1 << step).min(MAX_PAUSE);
        On {
            generation: known.generation,
            step,
            since: before.map_or(now, |on| on.since),
            until: now.checked_add(pause).unwrap_or(now),
            reasons,
            prefixes,
        }
    }

    /// Lifts it.
    pub(crate) async fn lift(&self) {
        let Some(on) = self.known().on.take() else {
            return;
        };
        metrics::brake(false);
        let own = Pinned { name: &self.name, generation: on.generation };
        let removed = retry::repeated(|| self.bucket.delete(own)).await;
        let mut known = self.known();
        known.lifted = Some((Instant::now(), on));
        known.generation = 0;
        known.is_probing = false;
        if let Err(error) = removed
            && !is_conflict(&error)
        {
            tracing::warn!(%error, brake = self.name, "could not remove the inbox's brake; it ends at its time");
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl On ===

impl On {
    /// How many objects the next probe asks about.
    pub(crate) fn probe(&self) -> u32 {
        MIN_PROBE.saturating_mul(1 << self.step.min(MAX_STEP)).min(MAX_PROBE)
    }

    fn written(&self) -> Metadata {
        let reasons: Vec<Value> = (self.reasons.iter())
            .map(|reason| json!([reason.count, reason.reason, reason.example]))
            .collect();
        let state = json!({
            "step": self.step,
            "since": self.since.to_string(),
            "until": self.until.to_string(),
            "reasons": reasons,
            "prefixes": self.prefixes,
        });
        Metadata::from([(STATE.to_owned(), state.to_string())])
    }

    /// An object of another origin at this name is no brake.
    fn read(object: &Object) -> Option<Self> {
        let state: Value = serde_json::from_str(object.metadata.get(STATE)?).ok()?;
        let texts = |values: &Value| -> Vec<String> {
            let values = values.as_array().into_iter().flatten();
            values.filter_map(|value| value.as_str().map(str::to_owned)).collect()
        };
        let reasons = state["reasons"].as_array().into_iter().flatten().filter_map(|reason| {
            Some(Reason {
                count: reason[0].as_u64()?,
                reason: reason[1].as_str()?.to_owned(),
                example: reason[2].as_str()?.to_owned(),
            })
        });
        Some(Self {
            generation: object.generation,
            step: state["step"].as_u64()?.try_into().ok()?,
            since: state["since"].as_str()?.parse().ok()?,
            until: state["until"].as_str()?.parse().ok()?,
            reasons: reasons.collect(),
            prefixes: texts(&state["prefixes"]),
        })
    }

    /// For a poll's last event.
    pub(crate) fn to_event(&self) -> v1::Brake {
        v1::Brake {
            until: Some(wire::timestamp(self.until)),
            probe: self.probe().into(),
            reasons: (self.reasons.iter())
                .map(|reason| v1::BrakeReason {
                    count: reason.count.try_into().unwrap_or(i64::MAX),
                    reason: reason.reason.clone(),
                    example: reason.example.clone(),
                })
                .collect(),
        }
    }

    /// The reasons in one line.
    pub(crate) fn summary(&self) -> String {
        let reasons: Vec<_> = (self.reasons.iter())
            .map(|reason| {
                format!("{} × {:?}, such as {}", reason.count, reason.reason, reason.example)
            })
            .collect();
        reasons.join("; ")
    }
}

#[cfg(test)]
mod tests;
