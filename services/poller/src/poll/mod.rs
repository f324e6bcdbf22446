//! One poll, from its first event to its last.

mod poll_loop;

use std::sync::Arc;

use brigade_proto::v1::{EndReason, PollStarted};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use self::poll_loop::run_loop;
use crate::{
    error::PollError,
    instance::Instance,
    lease::{Acquired, LeaseManager},
    plan::Plan,
    report::Reporter,
    run::RunContext,
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
        Ok(reason) => reporter.finished(reason, began.elapsed()).await,
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
        return run_loop(run, reporter, &lost).await;
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
        end = run_loop(run, reporter, &lost) => end,
    };
    lease.release().await;
    end
}
