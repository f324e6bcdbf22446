//! Polls on the scheduler's ticks, and shows what happens, until it is told to stop.

use std::{io, time::Duration};

use brigade_emulator::{
    notifier::Notifier,
    scheduler::{RetryConfig, Scheduler},
};
use brigade_proto::v1::poll_response::Event;
use brigade_runtime::exit::{Exit, Failure};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{
    show::Show,
    system::{BUCKET, PUBSUB, SCHEDULER, System},
    table::Table,
};

/// How long a new file may lie before it is noticed.
const LOOK: Duration = Duration::from_millis(200);

/// Shows settlements until the shutdown. What the scheduler's poll answers is seen through the poller's own events.
pub(super) async fn run(
    system: &System,
    show: Show,
    every: Duration,
    push: bool,
    shutdown: &CancellationToken,
) -> Result<Exit, Failure> {
    let mut events = system.events.subscribe();
    let scheduler = Scheduler {
        name: "brigade-dev".into(),
        url: endpoint(system, "poll")?,
        account: SCHEDULER.into(),
        audience: brigade_client::identity::origin(&system.poller),
        every,
        retry: RetryConfig {
            retry_count: 3,
            ..RetryConfig::default()
        },
    };
    let ticking = tokio::spawn(scheduler.run(system.emulator.identity().clone(), shutdown.clone()));
    let pushing = push.then(|| notifier(system)).transpose()?.map(|notifier| {
        let (storage, identity) = (system.emulator.storage(), system.emulator.identity());
        tokio::spawn(notifier.run(storage.clone(), identity.clone(), shutdown.clone()))
    });
    let mut table = Table::new(show, io::stdout());
    loop {
        let received = tokio::select! {
            () = shutdown.cancelled() => break,
            received = events.recv() => received,
        };
        match received {
            // An empty poll every few seconds is nothing to look at.
            Ok(response)
                if matches!(response.event, Some(Event::Settled(_) | Event::Skipped(_))) =>
            {
                let _ = table.event(&response);
            }
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => break,
        }
    }
    // They end with the shutdown.
    let _ = ticking.await;
    if let Some(pushing) = pushing {
        let _ = pushing.await;
    }
    let _ = table.summary();
    Ok(Exit::Done)
}

/// Tells the poller of each new file at once.
fn notifier(system: &System) -> Result<Notifier, Failure> {
    Ok(Notifier {
        bucket: BUCKET.into(),
        subscription: "projects/brigade-dev/subscriptions/events".into(),
        url: endpoint(system, "events")?,
        account: PUBSUB.into(),
        audience: brigade_client::identity::origin(&system.poller),
        look_every: LOOK,
    })
}

fn endpoint(system: &System, path: &str) -> Result<Url, Failure> {
    let url = system.poller.join(path);
    url.map_err(|error| Failure::unavailable(format!("the poller's URL: {error}"), ""))
}
