//! One poll, run by a process of its own, and what it said.

use std::time::Duration;

use brigade_poller::{poller::Poller, report::Events, request::Trigger};
use brigade_proto::v1::{EndReason, PollRequest, Settlement, poll_response::Event};
use fastrand::Rng;

use crate::{
    halt::{Fate, Process, Tokens},
    schedule::Schedule,
};

/// What one poll said, and what happened to it.
#[derive(Clone, Debug, Default, Hash)]
#[allow(clippy::struct_excessive_bools, reason = "each happens by itself")]
pub(crate) struct Report {
    pub(crate) poll: u64,
    pub(crate) poller: usize,
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
}

/// A poll that is about to begin.
pub(crate) struct Errand {
    id: u64,
    number: usize,
    poller: Poller,
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
    pub(crate) fn new(id: u64, number: usize, poller: Poller) -> Self {
        Self {
            id,
            number,
            poller,
            fate: Fate::default(),
            request: PollRequest::default(),
            trigger: Trigger::default(),
        }
    }

    /// The same with whatever the schedule has in store for it.
    pub(crate) fn drawn(self, schedule: &Schedule, rng: &mut Rng) -> Self {
        let fate = Fate::draw(schedule, rng);
        let hurried = rng.u16(0..1_000) < schedule.hurried;
        let (limit, seconds) = (rng.i64(0..10), rng.u64(8..200));
        let mut errand = Self { fate, ..self };
        if hurried {
            errand.request.max_objects = limit;
            errand.trigger.deadline = Some(Duration::from_secs(seconds));
        }
        errand
    }

    pub(crate) async fn run(self) -> Report {
        let tokens = Tokens::default();
        let poller = self.poller.shutdown(tokens.shutdown.clone());
        let (poll, events) =
            poller.prepare(&self.request, &self.trigger).expect("the request is valid");
        let process = Process::new(self.id, poll, self.fate, tokens.clone());
        let ((crashed, stalled), heard) = tokio::join!(process, listen(events, &tokens));
        Report {
            poll: self.id,
            poller: self.number,
            crashed,
            stalled,
            shut_down: tokens.shutdown.is_cancelled(),
            ..heard
        }
    }
}

/// Listens to the end, or until the caller has enough.
async fn listen(mut events: Events, tokens: &Tokens) -> Report {
    let mut report = Report::default();
    loop {
        let event = tokio::select! {
            biased;
            () = tokens.cancel.cancelled() => {
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
            Some(Event::Settled(settled)) => {
                let settlement = settled.settlement();
                let object = settled.object.unwrap_or_default();
                self.settled.push(Said {
                    name: object.name,
                    generation: object.generation,
                    settlement,
                    destination: settled.destination,
                });
            }
            Some(Event::Finished(finished)) => {
                self.finished = Some(finished.reason().as_str_name().to_owned());
            }
            Some(Event::Started(_) | Event::Skipped(_)) | None => {}
        }
    }
}
