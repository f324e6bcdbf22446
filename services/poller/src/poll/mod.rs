//! One poll, from its first event to its last.

mod poll_loop;
mod probe;

use std::sync::Arc;

use brigade_proto::v1::{EndReason, PollStarted};
use futures::stream;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use self::poll_loop::run_loop;
use crate::{
    brake::{On, Passage},
    error::PollError,
    instance::Instance,
    lease::{Acquired, LeaseManager},
    plan::Plan,
    report::{Finish, Reporter},
    run::RunContext,
    scan::scan,
};

/// Runs a poll, and reports all of it.
pub(crate) async fn run(
    instance: Arc<Instance>,
    plan: Plan,
    mut reporter: Reporter,
    started: PollStarted,
) {
    let began = Instant::now();
    let holder = started.poll_id.clone();
    reporter.started(started);
    let run = RunContext::new(instance, plan);
    match run_under_lease(&run, &mut reporter, &holder).await {
        Ok(reason) => {
            let brake = run.instance.brake.on().filter(|_| reason == EndReason::Brake);
            let finish = Finish {
                reason,
                took: began.elapsed(),
                concurrency: run.instance.dispatcher.limit(),
                brake: brake.as_ref().map(On::to_event),
            };
            reporter.finished(finish).await;
        }
        Err(error) => reporter.failed(error).await,
    }
}

/// The loop, under the inbox's lease. A dry run changes nothing, and needs none.
async fn run_under_lease(
    run: &RunContext,
    reporter: &mut Reporter,
    holder: &str,
) -> Result<EndReason, PollError> {
    let lost = CancellationToken::new();
    let instance = &run.instance;
    if !instance.lease || run.plan.dry_run {
        return run_past_brake(run, reporter, &lost).await;
    }
    let leases = LeaseManager::new(
        instance.settler.source(),
        &instance.config.inbox,
        instance.clock.clone(),
    );
    let Ok(acquired) = timeout(run.plan.time_left(), leases.acquire(holder)).await else {
        // A lease that was written all the same expires.
        return Ok(EndReason::Deadline);
    };
    let mut lease = match acquired? {
        Acquired::Ours(lease) => lease,
        Acquired::Held { by } => {
            tracing::info!(poll = by, "another poll holds this inbox's lease");
            return Ok(EndReason::AlreadyRunning);
        }
    };
    let end = tokio::select! {
        biased;
        () = lease.keep(&lost) => Ok(EndReason::LeaseLost),
        end = run_past_brake(run, reporter, &lost) => end,
    };
    lease.release().await;
    end
}

/// The loop over what the inbox's brake lets through: everything, a few objects as a probe, or nothing.
async fn run_past_brake(
    run: &RunContext,
    reporter: &mut Reporter,
    lost: &CancellationToken,
) -> Result<EndReason, PollError> {
    let (instance, plan) = (&run.instance, &run.plan);
    let listing = || scan(instance.settler.source(), plan.prefix.clone());
    let max_refusals = instance.config.budgets.max_refusals;
    if plan.dry_run || max_refusals == 0 {
        return run_loop(run, reporter, lost, listing()).await;
    }
    match instance.brake.look(instance.clock.now()).await {
        Passage::Free => instance.brake_is_free(),
        Passage::Probe(_) | Passage::Closed(_) if plan.ignore_brake => {
            instance.brake.lift().await;
            instance.dispatcher.restart_streak(max_refusals);
            tracing::info!("the inbox's brake is lifted, as the poll's request asks");
        }
        Passage::Closed(on) => {
            tracing::warn!(
                until = %on.until,
                probe = on.probe(),
                reasons = on.summary(),
                "the inbox's brake is on: nothing is passed to the worker until then; fix the worker; a Poll with \
                 ignore_brake lifts the brake at once"
            );
            return Ok(EndReason::Brake);
        }
        Passage::Probe(on) => {
            let objects = probe::choose(run, &on).await?;
            if objects.is_empty() {
                // Nothing is held: the brake waits for the next file.
                return run_loop(run, reporter, lost, listing()).await;
            }
            instance.dispatcher.restart_streak(on.probe());
            let listed = stream::iter(objects.into_iter().map(Ok));
            let end = run_loop(run, reporter, lost, listed).await?;
            if end != EndReason::Complete {
                return Ok(end);
            }
            if instance.brake.is_on() {
                return Ok(EndReason::Brake);
            }
        }
    }
    run_loop(run, reporter, lost, listing()).await
}
