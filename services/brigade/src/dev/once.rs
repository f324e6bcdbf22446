//! Polls until the inbox is settled.

use std::{io, time::Duration};

use brigade_proto::v1::{EndReason, PollFinished, PollRequest, poll_response::Event};
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
    let mut is_braked = false;
    let mut ignore_brake = system.watched.has_changed();
    while idle < IDLE_POLLS && !shutdown.is_cancelled() {
        let request = PollRequest { ignore_brake, ..PollRequest::default() };
        ignore_brake = false;
        let finished = match poll(system, request, &mut table).await {
            Ok(finished) => finished,
            Err(error) => {
                list_left(system, &mut table).await;
                let _ = table.summary();
                return Err(error);
            }
        };
        is_braked = finished.reason() == EndReason::Brake;
        let counts = finished.counts.unwrap_or_default();
        if is_braked || counts.found == 0 {
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
    if is_braked {
        list_left(system, &mut table).await;
    }
    // A closed pipe does not change the exit code.
    let _ = table.summary();
    let is_empty = table.totals().left() == 0;
    Ok(if is_empty { Exit::Done } else { Exit::Partly })
}

/// Notes what no poll has asked about: it is left too.
async fn list_left(system: &System, table: &mut Table<impl io::Write>) {
    let request = PollRequest { dry_run: true, ..PollRequest::default() };
    // The error that ended the last poll says more than that of this one.
    let _ = poll(system, request, table).await;
}

async fn poll(
    system: &System,
    request: PollRequest,
    table: &mut Table<impl io::Write>,
) -> Result<PollFinished, Failure> {
    let events = system.client.poll(request).await;
    let mut events = events.map_err(failure)?;
    let mut summary = PollFinished::default();
    while let Some(response) = events.message().await.map_err(failure)? {
        let _ = table.event(&response);
        if let Some(Event::Finished(finished)) = response.event {
            summary = finished;
        }
    }
    Ok(summary)
}
