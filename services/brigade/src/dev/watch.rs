//! Polls on the scheduler's ticks, if it has one, and shows what happens, until a signal ends it.

use std::{collections::VecDeque, io, pin::pin, time::Duration};

use brigade_client::identity::origin;
use brigade_emulator::{
    notifier::Notifier,
    scheduler::{RetryConfig, Scheduler},
};
use brigade_proto::v1::{EndReason, PollRequest, poll_response::Event};
use brigade_runtime::exit::{Exit, Failure};
use tokio::{sync::broadcast::error::RecvError, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{
    settings::{BUCKET, PUBSUB, SCHEDULER},
    system::System,
    table::Table,
};

/// How often the notifier looks for new files.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Polls of this process that are remembered.
const MAX_OWN: usize = 100;

/// An attempt that ended before its poll would end that too.
const SETTLING: Duration = Duration::from_secs(30);

/// How often it looks for files that are being written, and a braked system for changes.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Shows settlements until the shutdown. They come from the poller's own events, not from the answer to the scheduler.
pub(super) async fn run(
    system: System,
    table: &mut Table<impl io::Write>,
    every: Option<Duration>,
    push: bool,
    shutdown: &CancellationToken,
) -> Result<Exit, Failure> {
    let mut events = system.events.subscribe();
    let identity = system.emulator.identity();
    let mut tasks = JoinSet::new();
    if let Some(every) = every {
        let scheduler = scheduler(&system, every)?;
        tasks.spawn(scheduler.run(identity.clone(), shutdown.clone()));
    }
    if push {
        let storage = system.emulator.storage().clone();
        let notifier = notifier(&system)?;
        tasks.spawn(notifier.run(storage, identity.clone(), shutdown.clone()));
    }
    // What is there at the start is not a change.
    let _ = system.watched.has_changed(&[]);
    let mut look = tokio::time::interval(LOOK_AGAIN);
    let mut brake = None;
    let mut own = VecDeque::new();
    let mut held_by = None;
    let mut wants_lift = false;
    loop {
        let received = tokio::select! {
            () = shutdown.cancelled() => break,
            received = events.recv() => received,
            _ = look.tick() => {
                let files = system.being_written().await;
                drop(table.being_written(&files));
                wants_lift |= brake.is_some() && system.watched.has_changed(&files);
                if wants_lift && brake.is_some() && lift(&system).await {
                    brake = None;
                    wants_lift = false;
                }
                continue;
            }
        };
        match received {
            // The other events of an empty poll every few seconds would bury these.
            Ok(response) => match &response.event {
                Some(Event::Settled(_) | Event::Skipped(_)) => drop(table.event(&response)),
                Some(Event::Finished(finished))
                    if finished.reason() == EndReason::AlreadyRunning =>
                {
                    // A poll of this process is no news.
                    let holder = finished.holder.as_ref().map(|holder| holder.poll_id.clone());
                    let is_own = holder.as_ref().is_some_and(|holder| own.contains(holder));
                    if !is_own && holder != held_by {
                        drop(table.held_by(finished.holder.as_ref()));
                        held_by = holder;
                    }
                }
                Some(Event::Finished(finished)) => {
                    let is_news = finished.brake.is_some() && finished.brake != brake;
                    if brake.is_none() && is_news {
                        // Only what changes from now on lifts it.
                        let _ = system.watched.has_changed(&system.being_written().await);
                    }
                    brake.clone_from(&finished.brake);
                    if is_news {
                        drop(table.event(&response));
                    }
                }
                Some(Event::Started(started)) => {
                    own.truncate(MAX_OWN - 1);
                    own.push_front(started.poll_id.clone());
                }
                None => {}
            },
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => break,
        }
    }
    // The shutdown ends them.
    while tasks.join_next().await.is_some() {}
    // What is in flight settles.
    let mut stopped = pin!(system.stop());
    loop {
        tokio::select! {
            biased;
            Ok(response) = events.recv() => {
                if let Some(Event::Settled(_)) = &response.event {
                    drop(table.event(&response));
                }
            }
            () = &mut stopped => break,
        }
    }
    let _ = table.summary();
    Ok(Exit::Done)
}

/// Lifts the inbox's brake by a poll that runs in the background. Whether it could be started.
async fn lift(system: &System) -> bool {
    let request = PollRequest { ignore_brake: true, ..PollRequest::default() };
    let Ok(mut events) = system.client.poll(request).await else {
        // The poller ends.
        return false;
    };
    // A poll that was turned away says so at once; the next look tries again.
    while let Ok(event) = timeout(LOOK_AGAIN, events.message()).await {
        match event.ok().flatten().and_then(|response| response.event) {
            Some(Event::Started(_)) => {}
            Some(Event::Finished(finished)) => {
                return finished.reason() != EndReason::AlreadyRunning;
            }
            Some(_) => break,
            None => return false,
        }
    }
    tokio::spawn(async move { while let Ok(Some(_)) = events.message().await {} });
    true
}

fn scheduler(system: &System, every: Duration) -> Result<Scheduler, Failure> {
    Ok(Scheduler {
        name: "brigade-dev".into(),
        url: endpoint(system, "poll")?,
        body: serde_json::json!({"relist": true}),
        account: SCHEDULER.into(),
        audience: origin(&system.poller),
        every,
        retry: RetryConfig {
            retry_count: 3,
            attempt_deadline: system.poll_deadline + SETTLING,
            ..RetryConfig::default()
        },
    })
}

/// Notifies the poller of each new file at once.
fn notifier(system: &System) -> Result<Notifier, Failure> {
    Ok(Notifier {
        bucket: BUCKET.into(),
        subscription: "projects/brigade-dev/subscriptions/events".into(),
        url: endpoint(system, "events")?,
        account: PUBSUB.into(),
        audience: origin(&system.poller),
        look_every: LOOK_EVERY,
    })
}

fn endpoint(system: &System, path: &str) -> Result<Url, Failure> {
    let url = system.poller.join(path);
    url.map_err(|error| Failure::unavailable(format!("the poller's URL: {error}"), ""))
}
