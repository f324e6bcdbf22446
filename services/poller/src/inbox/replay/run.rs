//! Runs a replay, and says how far it is.

use std::{pin::pin, sync::Arc, time::Duration};

use brigade_proto::v1::{
    InboxObject, Place, ReplayCounts, ReplayFinished, ReplayObjectsResponse, ReplayProgress,
    ReplayResult, ReplayStarted, ReplayedObject, replay_objects_response::Event,
};
use brigade_telemetry::carried;
use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use tokio::{
    sync::mpsc::Sender,
    time::{Interval, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::{
    batches::{Batch, Batches, Item},
    plan::{Plan, What},
    put_back::{PutBack, destination, put_back},
};
use crate::{error::PollError, inbox::selection::Selected, instance::Instance, wire};

/// Objects that are moved at once.
const AT_ONCE: usize = 16;
const PROGRESS: Duration = Duration::from_secs(1);

/// A replay that runs.
pub(super) struct Run {
    instance: Arc<Instance>,
    plan: Plan,
    sender: Sender<Result<ReplayObjectsResponse, PollError>>,
    ticks: Interval,
    counts: ReplayCounts,
    scanned: u64,
    /// All objects up to this name have a result.
    last: Option<String>,
    /// Begin no more moves.
    stop: CancellationToken,
}

/// The result of one object; nothing when its move has not begun.
type Moved = Result<Option<ReplayedObject>, PollError>;

// === impl Run ===

impl Run {
    pub(super) fn new(
        instance: Arc<Instance>,
        plan: Plan,
        sender: Sender<Result<ReplayObjectsResponse, PollError>>,
    ) -> Self {
        let mut ticks = interval(PROGRESS);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            stop: instance.shutdown.child_token(),
            last: plan.start_after.clone(),
            instance,
            plan,
            sender,
            ticks,
            counts: ReplayCounts::default(),
            scanned: 0,
        }
    }

    pub(super) async fn run(mut self, batches: Batches) {
        let ended = self.work(batches).await;
        let ReplayCounts { replayed, conflicts, gone, held, errors } = self.counts;
        let (dry_run, error) =
            (self.plan.dry_run, ended.as_ref().err().map(tracing::field::display));
        info!(dry_run, replayed, conflicts, gone, held, errors, error, "replay ended");
        let last = match ended {
            Ok(next_page_token) => Ok(response(Event::Finished(ReplayFinished {
                counts: Some(self.counts),
                next_page_token,
            }))),
            Err(error) => Err(error),
        };
        // Its caller may be gone.
        let _ = self.sender.send(last).await;
    }

    /// The token of what is left.
    async fn work(&mut self, mut batches: Batches) -> Result<String, PollError> {
        let started = ReplayStarted {
            start_time: Some(wire::timestamp(self.plan.start)),
            filter: self.plan.filter.clone(),
        };
        self.send(Event::Started(started)).await;
        self.ticks.reset();
        let mut left = self.plan.limit;
        loop {
            let Some(batch) = self.ticking(batches.next()).await else { return Ok(String::new()) };
            let Batch { items, last, scanned, is_last } = batch?;
            self.scanned = scanned;
            let mut items: Vec<_> = items.into_iter().filter(|item| !self.is_later(item)).collect();
            while !items.is_empty() && left > 0 && !self.stop.is_cancelled() {
                let rest = items.split_off(items.len().min(left));
                left = left.saturating_sub(self.put_back_all(items).await?);
                items = rest;
            }
            if self.stop.is_cancelled() || !items.is_empty() {
                return Ok(self.token());
            }
            if is_last {
                return Ok(String::new());
            }
            self.last = Some(last);
            if left == 0 {
                return Ok(self.token());
            }
        }
    }

    /// Whether a filter leaves the object out because it failed after the call began.
    fn is_later(&self, item: &Item) -> bool {
        matches!(self.plan.what, What::Selected)
            && item.found.as_ref().is_some_and(|found| failed_after(&found.info, self.plan.start))
    }

    /// Moves these; how many were moved. Each is a task of its own, which neither a slow caller nor one that goes away holds up half way.
    async fn put_back_all(&mut self, items: Vec<Item>) -> Result<usize, PollError> {
        let (instance, stop) = (self.instance.clone(), self.stop.clone());
        let (dry_run, start) = (self.plan.dry_run, self.plan.start);
        let moves = stream::iter(items).map(|item| {
            let task = one(instance.clone(), item, dry_run, start, stop.clone());
            async { instance.running.spawn(carried(task)).await }
        });
        let mut moves = pin!(moves.buffered(AT_ONCE));
        let (mut done, mut is_whole, mut failed) = (0, true, None);
        while let Some(next) = self.ticking(moves.next()).await {
            match next {
                Ok((key, Ok(Some(object)))) => {
                    done += usize::from(self.count(object.result()));
                    if is_whole {
                        self.last = Some(key);
                    }
                    self.send(Event::Object(object)).await;
                }
                Ok((_, Err(error))) => {
                    self.stop.cancel();
                    failed = failed.or(Some(error));
                    is_whole = false;
                }
                // It has not begun, or its task was ended with the process.
                Ok((_, Ok(None))) | Err(_) => is_whole = false,
            }
        }
        failed.map_or(Ok(done), Err)
    }

    /// Counts a result; whether the object was moved, or would be.
    fn count(&mut self, result: ReplayResult) -> bool {
        let counts = &mut self.counts;
        let is_moved = matches!(result, ReplayResult::Replayed | ReplayResult::Planned);
        *match result {
            ReplayResult::Replayed | ReplayResult::Planned => &mut counts.replayed,
            ReplayResult::Conflict => &mut counts.conflicts,
            ReplayResult::Gone => &mut counts.gone,
            ReplayResult::Held => &mut counts.held,
            ReplayResult::Error | ReplayResult::Unspecified => &mut counts.errors,
        } += 1;
        is_moved
    }

    /// Says each second how far it is, until `work` is done.
    async fn ticking<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                _ = self.ticks.tick() => {
                    let progress = ReplayProgress {
                        scanned: self.scanned.try_into().unwrap_or(i64::MAX),
                        counts: Some(self.counts),
                        next_page_token: self.token(),
                    };
                    self.send(Event::Progress(progress)).await;
                }
            }
        }
    }

    /// The token of what has no result yet.
    fn token(&self) -> String {
        self.plan.token(self.last.as_deref().unwrap_or_default())
    }

    async fn send(&self, event: Event) {
        if self.sender.send(Ok(response(event))).await.is_err() {
            self.stop.cancel();
        }
    }
}

fn response(event: Event) -> ReplayObjectsResponse {
    ReplayObjectsResponse { event: Some(event) }
}

fn failed_after(info: &InboxObject, start: Timestamp) -> bool {
    let failed = info.settle_time.as_ref().and_then(wire::from_timestamp);
    failed.is_some_and(|failed| failed > start)
}

/// One object, and its key.
async fn one(
    instance: Arc<Instance>,
    item: Item,
    dry_run: bool,
    start: Timestamp,
    stop: CancellationToken,
) -> (String, Moved) {
    let Item { key, found } = item;
    if stop.is_cancelled() {
        return (key, Ok(None));
    }
    let Some(found) = found else {
        let path = key.clone();
        let object = InboxObject { path, place: Place::Failed.into(), ..InboxObject::default() };
        let result = ReplayResult::Gone.into();
        let reason = "the failed location does not have it".to_owned();
        let gone = ReplayedObject { object: Some(object), result, reason, ..Default::default() };
        return (key, Ok(Some(gone)));
    };
    let Selected { object, info } = *found;
    let name = destination(&instance, &object);
    let to = name.as_ref().map(|name| format!("gs://{}/{name}", instance.config.inbox.bucket));
    let destination = to.unwrap_or_default();
    let held = object.held(instance.clock.now());
    let put = match (name, held) {
        (Err(refused), _) => refused,
        (Ok(_), _) if failed_after(&info, start) => {
            PutBack::new(ReplayResult::Gone, "it failed again after the replay began")
        }
        (Ok(_), Some(why)) => {
            PutBack::new(ReplayResult::Held, format!("{why} keeps it in the failed location"))
        }
        (Ok(_), None) if dry_run => PutBack::new(ReplayResult::Planned, ""),
        (Ok(name), None) => match put_back(instance, object.clone(), name).await {
            Ok(put) => put,
            Err(error) => return (key, Err(error.into())),
        },
    };
    let PutBack { result, reason } = put;
    if result == ReplayResult::Replayed {
        info!(object = object.uri(), generation = object.generation, destination, "replayed");
    }
    let result = result.into();
    (key, Ok(Some(ReplayedObject { object: Some(info), result, destination, reason })))
}
