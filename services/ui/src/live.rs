//! What the poller's events say since this page started: what is in flight, polls, and how many objects were settled.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use brigade_client::InboxClient;
use brigade_proto::v1::{
    InFlightSnapshot, InboxObject, Object, ObjectSettled, PollFinished, PollResponse, PollStarted,
    Settlement, WatchEventsResponse, poll_response, watch_events_response::Event,
};
use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::{spark::Minutes, text};

/// Polls that are kept.
const POLLS: usize = 200;
/// The pauses before the poller is watched again.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// What changed since the page started. A browser compares it with what it shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) failed: u64,
    pub(crate) processed: u64,
    /// Objects that left the inbox or stay there after a try.
    pub(crate) waiting: u64,
    pub(crate) flight: u64,
    pub(crate) polls: u64,
    /// Why the poller's events do not arrive; empty when they do.
    pub(crate) lost: String,
}

/// A poll that was seen.
#[derive(Clone, Debug)]
pub(crate) struct Poll {
    pub(crate) started: PollStarted,
    pub(crate) finished: Option<PollFinished>,
    /// Events were lost while it ran: it may have ended since.
    pub(crate) is_unsure: bool,
}

#[derive(Debug)]
pub(crate) struct Live {
    changes: watch::Sender<Changes>,
    seen: Mutex<Seen>,
    pub(crate) since: Timestamp,
}

#[derive(Debug, Default)]
struct Seen {
    flights: HashMap<(String, i64), (InboxObject, Instant)>,
    polls: VecDeque<Poll>,
    minutes: Minutes,
}

// === impl Changes ===

impl Changes {
    pub(crate) fn to_json(&self) -> serde_json::Value {
        let Self { failed, processed, waiting, flight, polls, lost } = self;
        serde_json::json!({
            "failed": failed, "processed": processed, "waiting": waiting, "flight": flight, "polls": polls, "lost": lost,
        })
    }
}

// === impl Live ===

impl Live {
    pub(crate) fn new() -> Self {
        let lost = Changes { lost: "connecting to the poller".into(), ..Changes::default() };
        Self { changes: watch::Sender::new(lost), seen: Mutex::default(), since: Timestamp::now() }
    }

    pub(crate) fn changes(&self) -> watch::Receiver<Changes> {
        self.changes.subscribe()
    }

    /// What is in flight, the longest first, and for how long.
    pub(crate) fn flights(&self) -> Vec<(InboxObject, Duration)> {
        let mut flights: Vec<_> = self
            .seen()
            .flights
            .values()
            .map(|(info, began)| (info.clone(), began.elapsed()))
            .collect();
        flights.sort_by_key(|(_, elapsed)| std::cmp::Reverse(*elapsed));
        flights
    }

    /// The last polls, the newest first.
    pub(crate) fn polls(&self) -> Vec<Poll> {
        self.seen().polls.iter().rev().cloned().collect()
    }

    pub(crate) fn minutes(&self) -> Minutes {
        self.seen().minutes.clone()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn note(&self, response: WatchEventsResponse) {
        match response.event {
            Some(Event::Snapshot(snapshot)) => self.reset(snapshot),
            Some(Event::Dispatched(info)) => {
                self.seen().begin(info);
                self.changes.send_modify(|changes| changes.flight += 1);
            }
            Some(Event::Poll(PollResponse { event: Some(event) })) => self.polled(event),
            _ => {}
        }
    }

    fn reset(&self, snapshot: InFlightSnapshot) {
        let mut seen = self.seen();
        seen.flights.clear();
        seen.polls.iter_mut().for_each(|poll| poll.is_unsure = true);
        for info in snapshot.objects {
            seen.begin(info);
        }
        drop(seen);
        // What happened meanwhile is not known: the browser asks.
        self.changes.send_modify(|changes| {
            changes.lost.clear();
            changes.flight += 1;
        });
    }

    fn polled(&self, event: poll_response::Event) {
        match event {
            poll_response::Event::Started(started) => {
                self.seen().start(started);
                self.changes.send_modify(|changes| changes.polls += 1);
            }
            poll_response::Event::Settled(settled) => self.settled(&settled),
            poll_response::Event::Finished(finished) => {
                self.seen().finish(finished);
                self.changes.send_modify(|changes| changes.polls += 1);
            }
            poll_response::Event::Skipped(_) => {}
        }
    }

    fn settled(&self, settled: &ObjectSettled) {
        let mut seen = self.seen();
        if let Some(object) = &settled.object {
            seen.flights.remove(&key(object));
        }
        let settlement = settled.settlement();
        seen.minutes.note(settlement);
        drop(seen);
        self.changes.send_modify(|changes| {
            changes.flight += 1;
            changes.waiting += 1;
            match settlement {
                Settlement::Failed => changes.failed += 1,
                Settlement::Processed => changes.processed += 1,
                _ => {}
            }
        });
    }

    fn lost(&self, why: &Status) {
        let why = format!("no events from the poller: {}", why.message());
        self.changes.send_if_modified(|changes| {
            let is_new = changes.lost != why;
            changes.lost = why;
            is_new
        });
    }
}

// === impl Seen ===

impl Seen {
    fn begin(&mut self, info: InboxObject) {
        let Some(object) = &info.object else { return };
        let elapsed = text::duration(info.in_flight.as_ref());
        let now = Instant::now();
        let began = now.checked_sub(elapsed).unwrap_or(now);
        self.flights.insert(key(object), (info, began));
    }

    fn start(&mut self, started: PollStarted) {
        if self.polls.len() == POLLS {
            self.polls.pop_front();
        }
        self.polls.push_back(Poll { started, finished: None, is_unsure: false });
    }

    /// The event does not name its poll. Polls of one inbox run one after the other, but for those of different prefixes.
    fn finish(&mut self, finished: PollFinished) {
        let open = self.polls.iter_mut().rev().find(|poll| poll.finished.is_none());
        if let Some(poll) = open {
            poll.finished = Some(finished);
        }
    }
}

fn key(object: &Object) -> (String, i64) {
    (object.name.clone(), object.generation)
}

/// Follows the poller's events until `shutdown`, and begins again when they break off.
pub(crate) async fn follow(inbox: InboxClient, live: Arc<Live>, shutdown: CancellationToken) {
    let mut pause = PAUSE_MIN;
    loop {
        let started = Instant::now();
        let ended = tokio::select! {
            () = shutdown.cancelled() => return,
            ended = events(&inbox, &live) => ended,
        };
        live.lost(&ended);
        pause = if started.elapsed() > PAUSE_MAX { PAUSE_MIN } else { (pause * 2).min(PAUSE_MAX) };
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Notes events until they break off. Returns why.
async fn events(inbox: &InboxClient, live: &Live) -> Status {
    let mut stream = match inbox.watch().await {
        Ok(stream) => stream,
        Err(status) => return status,
    };
    loop {
        match stream.message().await {
            Ok(Some(response)) => live.note(response),
            Ok(None) => return Status::unavailable("the stream ended"),
            Err(status) => return status,
        }
    }
}
