//! The line at the bottom of a terminal: fed by the poller's own status and events, as any reader of an inbox gets them.

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use brigade_client::InboxClient;
use brigade_proto::v1::{
    GetStatusRequest, InboxObject, PollResponse, poll_response::Event,
    watch_events_response::Event as Watched,
};
use jiff::Timestamp;
use tokio::{
    sync::broadcast::{self, error::RecvError},
    task::JoinSet,
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use super::{system::System, table::Show};
use crate::{
    inbox::text::{duration, since, time},
    live::{Progress, Screen},
};

/// How often it counts what waits.
const COUNT_EVERY: Duration = Duration::from_secs(2);
/// The pause before it watches again.
const WATCH_AGAIN: Duration = Duration::from_secs(1);

/// Keeps the line true. Dropped, it stops.
#[derive(Debug)]
pub(super) struct Live {
    screen: Screen,
    _tasks: JoinSet<()>,
}

// === impl Live ===

impl Live {
    pub(super) fn start(system: &System, show: Show, shutdown: &CancellationToken) -> Self {
        let screen = Screen::new(show != Show::Json);
        let mut tasks = JoinSet::new();
        if screen.is_live() {
            tasks.spawn(settle(screen.clone(), system.events.subscribe()));
            tasks.spawn(watch(screen.clone(), system.inbox.clone()));
            tasks.spawn(count(screen.clone(), system.inbox.clone()));
            tasks.spawn(end(screen.clone(), shutdown.clone()));
        }
        Self { screen, _tasks: tasks }
    }

    /// Where lines go.
    pub(super) fn screen(&self) -> Screen {
        self.screen.clone()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.screen.end();
    }
}

/// Settlements come without the network, until the very end.
async fn settle(screen: Screen, mut events: broadcast::Receiver<PollResponse>) {
    loop {
        match events.recv().await {
            Ok(PollResponse { event: Some(Event::Settled(settled)) }) => {
                screen.update(|progress| progress.settled(&settled, Instant::now()));
            }
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

async fn watch(screen: Screen, inbox: InboxClient) {
    let dispatched = |object: &InboxObject| {
        let took = duration(object.in_flight.as_ref());
        screen.update(|line| line.dispatched(object.object.as_ref(), took, Instant::now()));
    };
    loop {
        if let Ok(mut events) = inbox.watch().await {
            while let Ok(Some(response)) = events.message().await {
                match response.event {
                    Some(Watched::Snapshot(snapshot)) => {
                        screen.update(Progress::forget_in_flight);
                        snapshot.objects.iter().for_each(dispatched);
                    }
                    Some(Watched::Dispatched(object)) => dispatched(&object),
                    // The other stream of events may have been faster than that of the dispatch.
                    Some(Watched::Poll(PollResponse { event: Some(Event::Settled(settled)) })) => {
                        screen.update(|line| line.has_ended(settled.object.as_ref()));
                    }
                    _ => {}
                }
            }
        }
        sleep(WATCH_AGAIN).await;
    }
}

async fn count(screen: Screen, inbox: InboxClient) {
    loop {
        if let Ok(status) = inbox.status(GetStatusRequest::default()).await {
            let (now, clock) = (Instant::now(), Timestamp::now());
            let age = time(status.count_time.as_ref()).map(|counted| since(counted, clock));
            let retry = time(status.next_retry_time.as_ref()).map(|next| since(clock, next));
            screen.update(|line| {
                line.counted(&status, age.unwrap_or_default(), now);
                line.next_retry(retry, now);
            });
        }
        sleep(COUNT_EVERY).await;
    }
}

async fn end(mut screen: Screen, shutdown: CancellationToken) {
    shutdown.cancelled().await;
    let mut waits_for = None;
    screen.update(|line| {
        line.is_ending = true;
        waits_for = line.waits_for(Instant::now());
    });
    if let Some(waits_for) = waits_for {
        // A closed terminal changes nothing.
        let _ = writeln!(screen, "  ending     waits for {waits_for}; Ctrl-C again ends at once");
    }
}
