//! Polls until the inbox is settled.

use std::{
    io,
    time::{Duration, Instant},
};

use brigade_proto::v1::{EndReason, PollFinished, PollRequest, PollResponse, poll_response::Event};
use brigade_runtime::exit::{Exit, Failure};
use tokio_util::sync::CancellationToken;

use super::{system::System, table::Table};
use crate::outcome::failure;

/// How many polls in a row may settle nothing before it ends.
const IDLE_POLLS: u32 = 3;
const IDLE_PAUSE: Duration = Duration::from_secs(1);

/// How long another poll's lease is waited for: longer than that of a poller which was killed.
const LEASE_PATIENCE: Duration = Duration::from_secs(100);

/// Calls the poller until there is no work, or nothing moves any more.
pub(super) async fn run(
    system: &System,
    table: &mut Table<impl io::Write>,
    fail_on_failed: bool,
    shutdown: &CancellationToken,
) -> Result<Exit, Failure> {
    let mut idle = 0;
    let mut is_stuck = false;
    let mut waited = None;
    let mut ignore_brake = system.watched.has_changed(&[]);
    while idle < IDLE_POLLS && !shutdown.is_cancelled() {
        let request = PollRequest { ignore_brake, explain: true, ..PollRequest::default() };
        ignore_brake = false;
        let finished = match poll(system, request, table).await {
            Ok(finished) => finished,
            Err(error) => {
                list_left(system, table).await;
                let _ = table.summary();
                return Err(error);
            }
        };
        let counts = finished.counts.unwrap_or_default();
        match finished.reason() {
            EndReason::AlreadyRunning => {
                let since = *waited.get_or_insert_with(|| {
                    let _ = table.held_by(finished.holder.as_ref());
                    Instant::now()
                });
                is_stuck = since.elapsed() >= LEASE_PATIENCE;
            }
            EndReason::Brake => is_stuck = true,
            // Nothing was found because nothing is there, or because the poll could not look.
            EndReason::Complete if counts.found == 0 => {
                if system.wait_for_writers(table, shutdown).await {
                    continue;
                }
                break;
            }
            _ => waited = None,
        }
        if is_stuck {
            break;
        }
        if counts.processed + counts.failed + counts.superseded > 0 {
            idle = 0;
        } else {
            idle += u32::from(waited.is_none());
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(IDLE_PAUSE) => {}
            }
        }
    }
    if is_stuck {
        list_left(system, table).await;
    }
    table.left_to_writers(&system.being_written().await);
    // A closed pipe does not change the exit code.
    let _ = table.summary();
    let totals = table.totals();
    let is_done =
        totals.left() == 0 && !totals.are_all_failed() && !(fail_on_failed && totals.has_failed());
    Ok(if is_done { Exit::Done } else { Exit::Partly })
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
        match response.event {
            // Shown at the end, if it is left then.
            Some(Event::Skipped(skipped)) => table.left_for_later(skipped),
            event => {
                let response = PollResponse { event };
                let _ = table.event(&response);
                if let Some(Event::Finished(finished)) = response.event {
                    summary = finished;
                }
            }
        }
    }
    Ok(summary)
}
