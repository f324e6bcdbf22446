//! What a poll tells: events to whoever asked for it, one log line a settlement, and counts.

mod labels;

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use brigade_proto::v1::{
    EndReason, ObjectSettled, ObjectSkipped, PollCounts, PollFinished, PollResponse, PollStarted,
    Settlement, poll_response::Event,
};
use brigade_storage::{Object, object::escape};
use tokio::{
    sync::{
        broadcast,
        mpsc::{self, error::TrySendError},
    },
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{error::PollError, filter::Skip, wire};

/// How long a listener that is behind may take no event before it counts as gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// The receiving end of a poll's events. Dropping it cancels the poll, and so does not reading it for 10 s while more
/// events wait than it holds.
pub type Events = mpsc::Receiver<Told>;

/// One event of a poll, or the error that ended it.
type Told = Result<PollResponse, PollError>;

/// Sends a poll's events and keeps its counts. It never waits for the listener, unless it is told to.
#[derive(Debug)]
pub(crate) struct Reporter {
    events: mpsc::Sender<Told>,
    /// What the channel had no room for. The poll begins nothing while this is not empty, so there are never more of
    /// them than there are objects in flight, and one.
    backlog: VecDeque<Told>,
    /// When the listener last took an event, or fell behind.
    taken: Instant,
    /// The listener has taken nothing for too long.
    gone: CancellationToken,
    observer: Option<broadcast::Sender<PollResponse>>,
    counts: PollCounts,
}

/// What became of one object in this poll.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settled {
    pub(crate) settlement: Settlement,
    pub(crate) status_code: Option<i32>,
    pub(crate) reason: String,
    pub(crate) destination: String,
    pub(crate) summary: String,
    pub(crate) outputs: Vec<String>,
    /// The worker's own figures and tags, for the log.
    pub(crate) labels: HashMap<String, String>,
    /// When it is to be tried again, unless it has an outcome.
    pub(crate) again_in: Option<Duration>,
    /// That could not be written on the object.
    pub(crate) is_unwritten: bool,
}

impl Reporter {
    pub(crate) fn new(
        events: mpsc::Sender<Told>,
        observer: Option<broadcast::Sender<PollResponse>>,
    ) -> Self {
        Self {
            events,
            backlog: VecDeque::new(),
            taken: Instant::now(),
            gone: CancellationToken::new(),
            observer,
            counts: PollCounts::default(),
        }
    }

    /// Ends when nobody listens any more.
    pub(crate) fn unheard(&self) -> impl Future<Output = ()> + Send + 'static {
        let events = self.events.clone();
        let gone = self.gone.clone();
        async move {
            tokio::select! {
                () = events.closed() => {}
                () = gone.cancelled() => {}
            }
        }
    }

    /// Whether events wait for the listener to make room.
    pub(crate) fn is_behind(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// Waits until the listener has room for all that waits, or is gone. Nothing is lost if this is dropped half way,
    /// and the listener gets no more patience for it.
    pub(crate) async fn catch_up(&mut self) {
        while self.is_behind() {
            match timeout_at(self.taken + PATIENCE, self.events.reserve()).await {
                Ok(Ok(room)) => {
                    self.taken = Instant::now();
                    if let Some(told) = self.backlog.pop_front() {
                        room.send(told);
                    }
                }
                // It hung up.
                Ok(Err(_)) => self.backlog.clear(),
                Err(_) => {
                    warn!(
                        "whoever asked for this poll has taken none of its events for {} s, and counts as gone",
                        PATIENCE.as_secs()
                    );
                    self.gone.cancel();
                    self.backlog.clear();
                }
            }
        }
    }

    pub(crate) fn started(&mut self, started: PollStarted) {
        info!(
            poll = started.poll_id,
            inbox = started.inbox,
            trigger = started.trigger,
            trigger_name = %escape(&started.trigger_name),
            trigger_id = %escape(&started.trigger_id),
            "poll started"
        );
        self.send(Event::Started(started));
    }

    pub(crate) fn listed(&mut self) {
        self.counts.listed += 1;
    }

    pub(crate) fn dispatched(&mut self) {
        self.counts.found += 1;
    }

    pub(crate) fn skipped(&mut self, object: &Object, skip: Skip, explain: bool) {
        self.counts.skipped += 1;
        if skip.filter == brigade_proto::v1::Filter::Held {
            self.counts.held += 1;
        }
        if explain {
            self.send(Event::Skipped(ObjectSkipped {
                object: Some(wire::object(object)),
                filter: skip.filter.into(),
                detail: skip.detail,
            }));
        }
    }

    pub(crate) fn settled(&mut self, object: &Object, settled: Settled, took: Duration) {
        self.count(settled.settlement);
        let told = self::settled(object, settled, took);
        self.send(Event::Settled(told));
    }

    pub(crate) async fn finished(mut self, reason: EndReason, took: Duration) {
        let c = self.counts;
        info!(
            listed = c.listed,
            skipped = c.skipped,
            found = c.found,
            processed = c.processed,
            failed = c.failed,
            retry = c.retry,
            superseded = c.superseded,
            held = c.held,
            enqueued = c.enqueued,
            reason = reason.as_str_name(),
            ms = took.as_millis(),
            "poll finished"
        );
        self.send(Event::Finished(PollFinished {
            counts: Some(c),
            more: is_early(reason),
            reason: reason.into(),
            duration: Some(wire::duration(took)),
        }));
        self.catch_up().await;
    }

    pub(crate) async fn broken(mut self, error: PollError) {
        warn!(%error, "poll ended with an error");
        // A listener that is gone has the log line.
        self.tell(Err(error));
        self.catch_up().await;
    }

    fn count(&mut self, settlement: Settlement) {
        let c = &mut self.counts;
        match settlement {
            Settlement::Processed => c.processed += 1,
            Settlement::Failed => c.failed += 1,
            Settlement::Retry | Settlement::Stopped => c.retry += 1,
            Settlement::Superseded => c.superseded += 1,
            Settlement::Held => c.held += 1,
            Settlement::Enqueued => c.enqueued += 1,
            Settlement::AlreadyEnqueued => c.skipped += 1,
            Settlement::Planned | Settlement::Unspecified => {}
        }
    }

    fn send(&mut self, event: Event) {
        let response = PollResponse { event: Some(event) };
        if let Some(observer) = &self.observer {
            // Nobody watching is no error.
            let _ = observer.send(response.clone());
        }
        self.tell(Ok(response));
    }

    /// In order, and at once: what finds no room is kept for `catch_up`.
    fn tell(&mut self, told: Told) {
        if self.gone.is_cancelled() {
            return;
        }
        if self.is_behind() {
            self.backlog.push_back(told);
            return;
        }
        match self.events.try_send(told) {
            Err(TrySendError::Full(told)) => {
                self.taken = Instant::now();
                self.backlog.push_back(told);
            }
            // A listener that hung up wants to know nothing.
            Ok(()) | Err(TrySendError::Closed(_)) => {}
        }
    }
}

/// Whether a poll that ended so has left work behind that it knows nothing of.
fn is_early(reason: EndReason) -> bool {
    match reason {
        EndReason::MaxObjects
        | EndReason::Deadline
        | EndReason::Shutdown
        | EndReason::LeaseLost
        | EndReason::Cancelled => true,
        EndReason::Complete | EndReason::AlreadyRunning | EndReason::Unspecified => false,
    }
}

/// What became of an object, as a message and as a line in the log.
pub(crate) fn settled(object: &Object, settled: Settled, took: Duration) -> ObjectSettled {
    log(object, &settled, took);
    told(object, settled, took)
}

/// What became of an object, as a message.
pub(crate) fn told(object: &Object, settled: Settled, took: Duration) -> ObjectSettled {
    ObjectSettled {
        object: Some(wire::object(object)),
        settlement: settled.settlement.into(),
        status_code: settled.status_code,
        reason: settled.reason,
        duration: Some(wire::duration(took)),
        destination: settled.destination,
        summary: settled.summary,
        outputs: settled.outputs,
    }
}

/// Lets whoever watches this poller know of an object that was settled outside of a poll.
pub(crate) fn observed(observer: &broadcast::Sender<PollResponse>, settled: ObjectSettled) {
    let event = Some(Event::Settled(settled));
    // Nobody watching is no error.
    let _ = observer.send(PollResponse { event });
}

/// One line an object. Names, reasons and what a worker says are escaped, because others choose them.
fn log(object: &Object, settled: &Settled, took: Duration) {
    info!(
        object = %escape(&object.uri()),
        generation = object.generation,
        settlement = settled.settlement.as_str_name(),
        status = settled.status_code,
        reason = %escape(&settled.reason),
        destination = %escape(&settled.destination),
        summary = labels::summary(&settled.summary).map(display),
        labels = labels::labels(&settled.labels).map(display),
        ms = took.as_millis(),
        "object settled"
    );
}
