//! Polls until the inbox is settled.

use std::{io, time::Duration};

use brigade_proto::v1::{PollCounts, PollRequest, poll_response::Event};
use brigade_runtime::exit::{Exit, Failure};
use tokio_util::sync::CancellationToken;

use super::{
    system::System,
    table::{Show, Table},
};
use crate::outcome::failure;

/// How many polls in a row may settle nothing before it ends.
const IDLE_POLLS: u32 = 3;
const IDLE_PAUSE: Duration = Duration::from_secs(1);

/// Calls the poller until there is no work, or nothing moves any more.
pub(super) async fn run(
    system: &System,
    show: Show,
    shutdown: &CancellationToken,
) -> Result<Exit, Failure> {
    let mut table = Table::new(show, io::stdout().lock());
    let mut idle = 0;
    while idle < IDLE_POLLS && !shutdown.is_cancelled() {
        let counts = poll(system, &mut table).await?;
        if counts.found == 0 {
            break;
        }
        if counts.processed + counts.failed + counts.superseded > 0 {
            idle = 0;
        } else {
            idle += 1;
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(IDLE_PAUSE) => {}
            }
        }
    }
    // A closed pipe does not change the exit code.
    let _ = table.summary();
    let is_empty = table.totals().left() == 0;
    Ok(if is_empty { Exit::Done } else { Exit::Partly })
}

async fn poll(system: &System, table: &mut Table<impl io::Write>) -> Result<PollCounts, Failure> {
    let events = system.client.poll(PollRequest::default()).await;
    let mut events = events.map_err(failure)?;
    let mut counts = PollCounts::default();
    while let Some(response) = events.message().await.map_err(failure)? {
        let _ = table.event(&response);
        if let Some(Event::Finished(finished)) = response.event {
            counts = finished.counts.unwrap_or_default();
        }
    }
    Ok(counts)
}
