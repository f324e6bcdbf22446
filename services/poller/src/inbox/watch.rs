//! Streams what this instance does.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use brigade_proto::v1::{
    Heartbeat, InFlightSnapshot, InboxObject, Place, WatchEventsResponse,
    watch_events_response::Event as Watched,
};
use futures::stream::{self, Stream};
use tokio::{sync::broadcast::error::RecvError, time::timeout};
use tonic::Status;

use super::describe::describe;
use crate::{
    activity::{Call, Event, MAX_WATCHERS, Watcher},
    instance::Instance,
    wire,
};

/// When nothing happens for so long, the stream says that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Objects of a snapshot.
const MAX_SNAPSHOT: usize = 1_000;

struct Watch {
    instance: Arc<Instance>,
    watcher: Watcher,
    queued: VecDeque<Watched>,
    is_over: bool,
}

/// Events of this instance, beginning with what is in flight. It ends when the service shuts down.
pub(crate) fn watch(
    instance: &Arc<Instance>,
) -> Result<impl Stream<Item = Result<WatchEventsResponse, Status>> + Send + 'static, Status> {
    let watcher = instance.activity.watch().ok_or_else(|| {
        Status::resource_exhausted(format!(
            "{MAX_WATCHERS} callers watch this instance already; try again when one of them has ended"
        ))
    })?;
    let queued = VecDeque::from([snapshot(instance)]);
    let watch = Watch { instance: instance.clone(), watcher, queued, is_over: false };
    Ok(stream::unfold(watch, |mut watch| async move { Some((watch.next().await?, watch)) }))
}

// === impl Watch ===

impl Watch {
    async fn next(&mut self) -> Option<Result<WatchEventsResponse, Status>> {
        if self.is_over {
            return None;
        }
        let queued = self.queued.pop_front();
        let event = if queued.is_some() { queued } else { self.wait().await };
        let Some(event) = event else {
            self.is_over = true;
            return Some(Err(Status::unavailable(
                "this instance is shutting down; watch again to watch another one",
            )));
        };
        let time = Some(wire::timestamp(self.instance.clock.now()));
        Some(Ok(WatchEventsResponse { time, event: Some(event) }))
    }

    /// The next event; nothing at the shutdown.
    async fn wait(&mut self) -> Option<Watched> {
        let next = tokio::select! {
            biased;
            () = self.instance.shutdown.cancelled() => return None,
            next = timeout(HEARTBEAT, self.watcher.events.recv()) => next,
        };
        match next {
            Err(_) => Some(Watched::Heartbeat(Heartbeat {})),
            Ok(Ok(Event::Poll(response))) => Some(Watched::Poll((*response).clone())),
            Ok(Ok(Event::Dispatched(call))) => {
                Some(Watched::Dispatched(described(&self.instance, &call)))
            }
            Ok(Err(RecvError::Lagged(missed))) => {
                self.queued.push_back(snapshot(&self.instance));
                Some(Watched::Missed(missed.try_into().unwrap_or(i64::MAX)))
            }
            // The instance keeps its sender.
            Ok(Err(RecvError::Closed)) => None,
        }
    }
}

fn snapshot(instance: &Instance) -> Watched {
    let calls = instance.activity.calls();
    Watched::Snapshot(InFlightSnapshot {
        count: calls.len().try_into().unwrap_or(i64::MAX),
        objects: calls.iter().take(MAX_SNAPSHOT).map(|call| described(instance, call)).collect(),
    })
}

/// A call in flight. The attempts are those that it began with: what is written on the object is older.
fn described(instance: &Instance, call: &Call) -> InboxObject {
    let (config, now) = (&instance.config, instance.clock.now());
    let in_flight = Some(call.began.elapsed());
    InboxObject {
        attempts: call.attempts.into(),
        ..describe(config, Place::Inbox, &call.object, now, in_flight)
    }
}
