//! What a poll reports: events to its caller, one log line an object, and counts.

mod labels;
mod left_out;

use std::{collections::VecDeque, sync::atomic::AtomicBool, time::Duration};

use brigade_proto::v1::{
    Brake, EndReason, LeaseHolder, ObjectSkipped, PollCounts, PollFinished, PollResponse,
    PollStarted, Settlement, poll_response::Event,
};
use brigade_storage::Object;
use brigade_telemetry::code_name;
use tokio::{
    sync::mpsc::{self, error::TrySendError},
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use self::left_out::LeftOut;
use crate::{
    activity::Activity, config::Config, error::PollError, filter::Skip, metrics, outcome::Outcome,
    wire,
};

/// A listener that is behind and takes no event for this long counts as gone.
const LISTENER_TIMEOUT: Duration = Duration::from_secs(10);

/// The receiving end of a poll's events. Dropping it cancels the poll, and so does not reading it for 10 s while more
/// events wait than it holds.
pub type Events = mpsc::Receiver<EventResult>;

/// A listener may be this many events behind before its poll dispatches nothing more until it has caught up.
pub(crate) const MAX_BEHIND: usize = 256;

/// One event of a poll, or the error that ended it.
type EventResult = Result<PollResponse, PollError>;

/// How a poll ended.
#[derive(Debug)]
pub(crate) struct Finish {
    pub(crate) reason: EndReason,
    pub(crate) dry_run: bool,
    pub(crate) took: Duration,
    /// Calls of the worker at once, as of now.
    pub(crate) concurrency: usize,
    /// When it ended the poll.
    pub(crate) brake: Option<Brake>,
    /// Who holds the lease, when it ended the poll.
    pub(crate) holder: Option<LeaseHolder>,
}

/// Sends a poll's events and keeps its counts. It never waits for the listener, but in [`Reporter::catch_up`].
#[derive(Debug)]
pub(crate) struct Reporter {
    events: mpsc::Sender<EventResult>,
    /// The listener wants nothing but how the poll ends.
    summary_only: bool,
    /// What the channel had no room for. The poll dispatches nothing while this is not empty, so it holds at most one
    /// event more than objects are in flight.
    backlog: VecDeque<EventResult>,
    /// When the listener last took an event, or fell behind.
    last_taken: Instant,
    /// The listener has taken nothing for too long.
    gone: CancellationToken,
    activity: Activity,
    started: Option<PollStarted>,
    began: Instant,
    counts: PollCounts,
    passes: i64,
    left_out: LeftOut,
}

impl Reporter {
    pub(crate) fn new(
        events: mpsc::Sender<EventResult>,
        activity: Activity,
        summary_only: bool,
    ) -> Self {
        Self {
            events,
            summary_only,
            backlog: VecDeque::new(),
            last_taken: Instant::now(),
            gone: CancellationToken::new(),
            activity,
            started: None,
            began: Instant::now(),
            counts: PollCounts::default(),
            passes: 0,
            left_out: LeftOut::default(),
        }
    }

    /// Ends when the listener is gone.
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

    /// Waits until the listener has room for all that waits, or is gone. Dropped half way, it loses nothing, and the
    /// listener gets no more time.
    pub(crate) async fn catch_up(&mut self) {
        while self.is_behind() {
            match timeout_at(self.last_taken + LISTENER_TIMEOUT, self.events.reserve()).await {
                Ok(Ok(room)) => {
                    self.last_taken = Instant::now();
                    if let Some(event) = self.backlog.pop_front() {
                        room.send(event);
                    }
                }
                // The listener hung up.
                Ok(Err(_)) => self.backlog.clear(),
                Err(_) => {
                    warn!(
                        "the caller of this poll has read no event for {} s, and counts as gone",
                        LISTENER_TIMEOUT.as_secs()
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
            trigger_name = %started.trigger_name,
            trigger_id = %started.trigger_id,
            concurrency = started.concurrency,
            "poll started"
        );
        self.started = Some(started.clone());
        self.send(Event::Started(started));
    }

    pub(crate) fn began_pass(&mut self) {
        self.passes += 1;
    }

    pub(crate) fn listed(&mut self) {
        self.counts.listed += 1;
    }

    pub(crate) fn dispatched(&mut self) {
        self.counts.found += 1;
    }

    pub(crate) fn skipped(&mut self, object: &Object, skip: Skip, explain: bool) {
        self.counts.skipped += 1;
        self.left_out.add(skip.filter);
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

    pub(crate) fn settled(&mut self, outcome: Outcome) {
        self.count(outcome.settlement());
        log(&outcome);
        self.send(Event::Settled(outcome.settled));
    }

    /// After a whole listing of the inbox: warns when filters left out all of it. `said` tells whether an earlier poll did.
    pub(crate) fn warn_if_all_left_out(&self, config: &Config, said: &AtomicBool) {
        self.left_out.warn_once(self.counts.found, config, said);
    }

    pub(crate) async fn finished(mut self, finish: Finish) {
        let Finish { reason, dry_run, took, concurrency, brake, holder } = finish;
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
            passes = self.passes,
            concurrency,
            reason = reason.as_str_name(),
            dry_run,
            ms = took.as_millis(),
            "poll finished"
        );
        let finished = PollFinished {
            counts: Some(c),
            more: is_early(reason),
            reason: reason.into(),
            duration: Some(wire::duration(took)),
            concurrency: concurrency.try_into().unwrap_or(i64::MAX),
            brake,
            holder,
            passes: self.passes,
        };
        self.ended(Ok(finished.clone()));
        self.send(Event::Finished(finished));
        self.catch_up().await;
    }

    pub(crate) async fn failed(mut self, error: PollError) {
        warn!(%error, "poll ended with an error");
        self.ended(Err(&error));
        // A listener that is gone has the log line.
        self.push(Err(error));
        self.catch_up().await;
    }

    /// Keeps how the poll ended.
    fn ended(&mut self, end: Result<PollFinished, &PollError>) {
        if let Some(started) = self.started.take() {
            self.activity.poll_ended(started, self.began.elapsed(), end);
        }
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
        let is_wanted = !self.summary_only || matches!(event, Event::Finished(_));
        let response = PollResponse { event: Some(event) };
        self.activity.observe(&response);
        if is_wanted {
            self.push(Ok(response));
        }
    }

    /// In order, and at once: what finds no room is kept for [`Reporter::catch_up`].
    fn push(&mut self, event: EventResult) {
        if self.gone.is_cancelled() {
            return;
        }
        if self.is_behind() {
            self.backlog.push_back(event);
            return;
        }
        match self.events.try_send(event) {
            Err(TrySendError::Full(event)) => {
                self.last_taken = Instant::now();
                self.backlog.push_back(event);
            }
            // A listener that hung up needs no event.
            Ok(()) | Err(TrySendError::Closed(_)) => {}
        }
    }
}

/// Whether a poll that ended so may have left work that it has not listed.
fn is_early(reason: EndReason) -> bool {
    match reason {
        EndReason::MaxObjects
        | EndReason::Deadline
        | EndReason::Shutdown
        | EndReason::LeaseLost
        | EndReason::Cancelled
        | EndReason::Brake => true,
        EndReason::Complete | EndReason::AlreadyRunning | EndReason::Unspecified => false,
    }
}

/// Logs and observes an object that was settled outside a poll.
pub(crate) fn settled_alone(activity: &Activity, outcome: Outcome) {
    log(&outcome);
    activity.observe(&PollResponse { event: Some(Event::Settled(outcome.settled)) });
}

/// One line an object.
fn log(outcome: &Outcome) {
    let settled = &outcome.settled;
    let object = settled.object.as_ref();
    let uri = object.map(|object| format!("gs://{}/{}", object.bucket, object.name));
    let took = settled.duration.unwrap_or_default();
    let uploaded = object.and_then(|object| wire::from_timestamp(object.create_time.as_ref()?));
    let code = settled.status_code.map_or("none", code_name);
    // A dry run settles nothing.
    if settled.settlement() != Settlement::Planned {
        metrics::settled(settled.settlement(), outcome.kind, code, uploaded);
    }
    info!(
        object = %uri.unwrap_or_default(),
        generation = object.map(|object| object.generation),
        size = object.map(|object| object.size),
        settlement = settled.settlement().as_str_name(),
        status = settled.status_code,
        reason = %settled.reason,
        destination = %settled.destination,
        summary = labels::summary(&settled.summary).map(display),
        labels = labels::labels(&outcome.labels).map(display),
        ms = took.seconds * 1_000 + i64::from(took.nanos / 1_000_000),
        "object settled"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_caller_that_wants_the_end_alone_gets_no_event_before_it() {
        for (summary_only, most) in [(false, 2), (true, 1)] {
            let (sender, mut events) = mpsc::channel(8);
            let mut reporter = Reporter::new(sender, Activity::default(), summary_only);
            reporter.started(PollStarted::default());
            let reason = EndReason::Complete;
            let (took, concurrency, brake, holder) = (Duration::ZERO, 1, None, None);
            let finish = Finish { reason, dry_run: false, took, concurrency, brake, holder };
            reporter.finished(finish).await;
            let mut heard = Vec::new();
            while let Some(event) = events.recv().await {
                heard.extend(event.unwrap().event);
            }
            assert_eq!(heard.len(), most);
            assert!(matches!(heard.last(), Some(Event::Finished(_))), "{heard:?}");
        }
    }
}
