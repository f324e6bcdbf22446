//! One poll, and what it said.

use std::{sync::Arc, time::Duration};

use brigade_poller::{report::Events, request::Trigger};
use brigade_proto::v1::{EndReason, ObjectSettled, PollRequest, Settlement, poll_response::Event};
use fastrand::Rng;
use tokio_util::sync::CancellationToken;

use crate::{
    halt::{Fate, Process},
    instance::Instance,
    schedule::Schedule,
};

/// What one poll said, and what happened to it.
#[derive(Clone, Debug, Default, Hash)]
#[allow(clippy::struct_excessive_bools, reason = "each happens by itself")]
pub(crate) struct Report {
    pub(crate) poll: u64,
    /// Its process.
    pub(crate) instance: u64,
    /// Its own id, which is also the holder of its lease.
    pub(crate) id: String,
    /// When it began, in seconds by its own clock.
    pub(crate) began: i64,
    /// Not a poll, but all events of the run.
    pub(crate) is_events: bool,
    pub(crate) settled: Vec<Said>,
    /// How it ended, when it said so.
    pub(crate) finished: Option<String>,
    pub(crate) error: Option<String>,
    /// Its process was killed before it ended.
    pub(crate) crashed: bool,
    /// Its process stood still for a while.
    pub(crate) stalled: bool,
    /// Its caller went away before it ended.
    pub(crate) cancelled: bool,
    /// Its service was asked to shut down.
    pub(crate) shut_down: bool,
}

/// What a poll said of one object.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Said {
    pub(crate) name: String,
    pub(crate) generation: i64,
    pub(crate) settlement: Settlement,
    pub(crate) destination: String,
    pub(crate) reason: String,
}

/// A poll that is about to begin.
pub(crate) struct Errand {
    id: u64,
    fate: Fate,
    request: PollRequest,
    trigger: Trigger,
}

// === impl Report ===

impl Report {
    /// Its lease was lost while it worked.
    pub(crate) fn lost_its_lease(&self) -> bool {
        self.finished.as_deref() == Some(EndReason::LeaseLost.as_str_name())
    }

    /// Not all that it did was heard.
    pub(crate) fn is_partial(&self) -> bool {
        self.crashed || self.cancelled
    }
}

// === impl Errand ===

impl Errand {
    /// A poll that nothing disturbs.
    pub(crate) fn new(id: u64, relist: bool) -> Self {
        Self {
            id,
            fate: Fate::default(),
            request: PollRequest { relist, ..PollRequest::default() },
            trigger: Trigger::default(),
        }
    }

    /// The same with whatever the schedule has in store for it.
    pub(crate) fn drawn(self, schedule: &Schedule, rng: &mut Rng) -> Self {
        let fate = Fate::draw(schedule, rng);
        let hurried = rng.u16(0..1_000) < schedule.hurried;
        let (limit, seconds) = (rng.i64(0..10), rng.u64(8..200));
        let id = self.id;
        let mut errand = Self { fate, ..self };
        if schedule.prefixes {
            // Parts that contain each other, and parts that are apart.
            let parts = ["", "0", "00", "01", "é", "0"];
            let part = usize::try_from(id).unwrap_or_default() % parts.len();
            parts[part].clone_into(&mut errand.request.prefix);
        }
        if hurried {
            errand.request.max_objects = limit;
            errand.trigger.deadline = Some(Duration::from_secs(seconds));
        }
        errand
    }

    /// Runs it in this process.
    pub(crate) async fn run(self, instance: Arc<Instance>) -> Report {
        let Self { id, fate, request, trigger } = self;
        let (poll, events) =
            instance.poller.prepare(&request, &trigger).expect("the request is valid");
        let cancel = CancellationToken::new();
        let process = Process::new(poll, fate, instance.ends.clone(), cancel.clone());
        let ((crashed, stalled), heard) = tokio::join!(process, listen(events, &cancel));
        Report {
            poll: id,
            instance: instance.id,
            crashed,
            stalled,
            shut_down: instance.ends.shutdown.is_cancelled(),
            ..heard
        }
    }
}

/// Listens to the end, or until the caller has enough.
async fn listen(mut events: Events, cancel: &CancellationToken) -> Report {
    let mut report = Report::default();
    loop {
        let event = tokio::select! {
            biased;
            () = cancel.cancelled() => {
                report.cancelled = true;
                return report;
            }
            event = events.recv() => event,
        };
        match event {
            Some(Ok(response)) => report.hear(response.event),
            Some(Err(error)) => report.error = Some(error.to_string()),
            None => return report,
        }
    }
}

impl Report {
    fn hear(&mut self, event: Option<Event>) {
        match event {
            Some(Event::Settled(settled)) => self.settled.push(settled.into()),
            Some(Event::Finished(finished)) => {
                self.finished = Some(finished.reason().as_str_name().to_owned());
            }
            Some(Event::Started(started)) => {
                self.id = started.poll_id;
                self.began = started.start_time.unwrap_or_default().seconds;
            }
            Some(Event::Skipped(_)) | None => {}
        }
    }
}

impl From<ObjectSettled> for Said {
    fn from(settled: ObjectSettled) -> Self {
        let settlement = settled.settlement();
        let object = settled.object.unwrap_or_default();
        Self {
            name: object.name,
            generation: object.generation,
            settlement,
            destination: settled.destination,
            reason: settled.reason,
        }
    }
}
