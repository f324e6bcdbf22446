//! Polls on the scheduler's ticks, if it has one, and shows what happens, until it is told to stop.

use std::{io, time::Duration};

use brigade_emulator::scheduler::Scheduler;
use brigade_proto::v1::poll_response::Event;
use brigade_runtime::exit::{Exit, Failure};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::{
    show::Show,
    system::{SCHEDULER, System},
    table::Table,
};

/// Shows settlements until the shutdown. What the scheduler's poll answers is seen through the poller's own events.
pub(super) async fn run(
    system: &System,
    show: Show,
    every: Option<Duration>,
    shutdown: &CancellationToken,
) -> Result<Exit, Failure> {
    let mut events = system.events.subscribe();
    let scheduler = every.map(|every| scheduler(system, every)).transpose()?;
    let ticking = scheduler.map(|scheduler| {
        tokio::spawn(scheduler.run(system.emulator.identity().clone(), shutdown.clone()))
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
    if let Some(ticking) = ticking {
        // It ends with the shutdown.
        let _ = ticking.await;
    }
    let _ = table.summary();
    Ok(Exit::Done)
}

fn scheduler(system: &System, every: Duration) -> Result<Scheduler, Failure> {
    Ok(Scheduler {
        name: "brigade-dev".into(),
        url: system
            .poller
            .join("poll")
            .map_err(|error| Failure::unavailable(format!("the poller's URL: {error}"), ""))?,
        account: SCHEDULER.into(),
        audience: brigade_client::identity::origin(&system.poller),
        every,
    })
}
