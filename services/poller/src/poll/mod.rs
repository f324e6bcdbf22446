//! One poll, from its first event to its last.

mod left;
mod oldest;
mod passes;
mod poll_loop;
mod probe;

use std::{pin::pin, sync::Arc};

use brigade_proto::v1::{EndReason, LeaseHolder, PollStarted};
use brigade_telemetry::Span;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use self::{passes::Objects, poll_loop::run_loop};
use crate::{
    brake::{On, Passage},
    error::PollError,
    instance::Instance,
    lease::{Acquired, LeaseManager},
    metrics,
    plan::{Plan, SETTLING},
    report::{Finish, Reporter},
    run::RunContext,
    spans, wire,
};

/// Runs a poll, and reports all of it.
pub(crate) async fn run(
    instance: Arc<Instance>,
    plan: Plan,
    reporter: Reporter,
    started: PollStarted,
    started_by: &'static str,
) {
    let span = spans::poll(&started.poll_id, started_by);
    span.around(run_in_span(instance, plan, reporter, started, &span)).await;
}

async fn run_in_span(
    instance: Arc<Instance>,
    plan: Plan,
    mut reporter: Reporter,
    started: PollStarted,
    span: &Span,
) {
    let began = Instant::now();
    let holder = started.poll_id.clone();
    reporter.started(started);
    let run = RunContext::new(instance, plan);
    let end = run_under_lease(&run, &mut reporter, &holder).await;
    let reason = end.as_ref().map(|(reason, _)| *reason);
    if !run.plan.dry_run {
        measure_end(&run.instance, reason.ok());
    }
    spans::end_poll(span, reason);
    match end {
        Ok((reason, holder)) => {
            let instance = &run.instance;
            if reason == EndReason::Complete && run.plan.prefix == instance.config.inbox.prefix {
                reporter.warn_if_all_left_out(&instance.config, &instance.said_all_left_out);
            }
            let brake = instance.brake.on().filter(|_| reason == EndReason::Brake);
            let finish = Finish {
                reason,
                dry_run: run.plan.dry_run,
                took: began.elapsed(),
                concurrency: instance.dispatcher.limit(),
                brake: brake.as_ref().map(On::to_event),
                holder,
            };
            reporter.finished(finish).await;
        }
        Err(error) => reporter.failed(error).await,
    }
}

fn measure_end(instance: &Instance, reason: Option<EndReason>) {
    metrics::poll_ended(reason);
    if reason == Some(EndReason::AlreadyRunning) {
        // The other poll's instance has newer state.
        metrics::forget();
    } else {
        metrics::brake(instance.brake.is_on());
        metrics::breaker(instance.dispatcher.away_since().is_some());
    }
}

/// The loop, under the inbox's lease; and who else holds that. A dry run changes nothing, and needs none.
async fn run_under_lease(
    run: &RunContext,
    reporter: &mut Reporter,
    holder: &str,
) -> Result<(EndReason, Option<LeaseHolder>), PollError> {
    let lost = CancellationToken::new();
    let instance = &run.instance;
    if !instance.lease || run.plan.dry_run {
        return Ok((run_past_brake(run, reporter, &lost).await?, None));
    }
    let leases = LeaseManager::new(
        instance.settler.source(),
        &instance.config.inbox,
        run.plan.scope(&instance.config),
        instance.clock.clone(),
        instance.process.clone(),
    );
    let mut acquiring = pin!(leases.acquire(holder));
    let Ok(acquired) = timeout(run.plan.time_left(), &mut acquiring).await else {
        // What was sent may be written all the same: the time for settling is left to give it back.
        if let Ok(Ok(Acquired::Ours(lease))) = timeout(SETTLING, acquiring).await {
            lease.release().await;
        }
        return Ok((EndReason::Deadline, None));
    };
    let mut lease = match acquired? {
        Acquired::Ours(lease) => lease,
        Acquired::Held { by, holder } => {
            tracing::info!(
                poll = by,
                since = %holder.since,
                until = %holder.until(),
                "another poll holds this inbox's lease; it is free then, unless that poll renews it"
            );
            return Ok((EndReason::AlreadyRunning, Some(wire::lease_holder(by, &holder))));
        }
    };
    let end = tokio::select! {
        biased;
        () = lease.keep(&lost) => Ok(EndReason::LeaseLost),
        end = run_past_brake(run, reporter, &lost) => end,
    };
    lease.release().await;
    Ok((end?, None))
}

/// The loop over what the inbox's brake lets through: everything, a few objects as a probe, or nothing.
async fn run_past_brake(
    run: &RunContext,
    reporter: &mut Reporter,
    lost: &CancellationToken,
) -> Result<EndReason, PollError> {
    let (instance, plan) = (&run.instance, &run.plan);
    let max_refusals = instance.config.budgets.max_refusals;
    if plan.dry_run || max_refusals == 0 {
        return run_loop(run, reporter, lost, Objects::Inbox).await;
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
                return run_loop(run, reporter, lost, Objects::Inbox).await;
            }
            instance.dispatcher.restart_streak(on.probe());
            let end = run_loop(run, reporter, lost, Objects::Chosen(objects)).await?;
            if end != EndReason::Complete {
                return Ok(end);
            }
            if instance.brake.is_on() {
                return Ok(EndReason::Brake);
            }
        }
    }
    run_loop(run, reporter, lost, Objects::Inbox).await
}
