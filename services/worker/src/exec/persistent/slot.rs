//! The owner of one process after the other: it starts them, gives them jobs, and ends them.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::SemaphorePermit,
    time::{Instant, sleep},
};

use super::{
    failure::Failure,
    pool::{Pool, Slot},
    process::{Done, Process},
};
use crate::metrics::{self, Kind};

/// The longest time between two starts.
const MAX_BACKOFF: Duration = Duration::from_mins(1);
/// After so long without a job the memory of a process is read again.
const IDLE: Duration = Duration::from_secs(1);
const TOO_MUCH: &str = "it has more memory than --max-memory";
/// How long a process that is retired may take to end by itself.
const RETIRE_GRACE: Duration = Duration::from_secs(9);

/// Why a process is not used any more.
enum Retired<'a> {
    /// No job comes any more.
    Closing,
    /// It had its share of jobs. The permit is kept until the next one is ready.
    Age(Option<SemaphorePermit<'a>>),
    /// It asked for it, or had its job taken away.
    Asked,
    /// It failed at a job.
    Job,
    /// It failed between two jobs, for this reason.
    Idle(Failure),
}

/// Runs until the pool is closed. When this returns, no process runs any more.
pub(super) async fn run(pool: Arc<Pool>, index: usize) {
    if index > 0 {
        tokio::select! {
            () = pool.closing.cancelled() => return,
            () = pool.ready.wait() => pool.set(index, Slot::Starting),
        }
    }
    let mut failures = 0;
    let mut retiring = None;
    let mut was_started = false;
    loop {
        tokio::select! {
            biased;
            () = pool.closing.cancelled() => return,
            () = sleep(backoff(failures)) => {}
        }
        let process = match pool.launch.start(&pool.closing).await {
            Ok(process) => process,
            Err(_) if pool.closing.is_cancelled() => return,
            Err(why) => {
                failures += 1;
                retiring = None;
                fail(&pool, index, why, failures);
                continue;
            }
        };
        metrics::started(Kind::Persistent, was_started);
        was_started = true;
        pool.set(index, Slot::Ready);
        drop(retiring.take());
        let mut answered = 0;
        match serve(&pool, index, process, &mut answered).await {
            Retired::Closing => return,
            Retired::Age(permit) => (failures, retiring) = (0, permit),
            Retired::Asked => failures = 0,
            _ if answered > 0 => {
                pool.set(index, Slot::Starting);
                failures = 0;
            }
            Retired::Job => failures = 1,
            // As good as not ready: without this it would be asked again and again.
            Retired::Idle(why) => {
                failures += 1;
                fail(&pool, index, why, failures);
            }
        }
    }
}

/// Notes that no process is ready in a slot until the next try.
fn fail(pool: &Pool, index: usize, failure: Failure, failures: u32) {
    let (program, why, next) = (pool.launch.program.name(), &failure.why, backoff(failures));
    tracing::warn!(program, why, ?next, "a process of the program did not become ready");
    pool.set(index, Slot::Failed(failure));
}

/// Gives jobs to a process until it is retired, and ends it.
async fn serve<'a>(
    pool: &'a Pool,
    index: usize,
    mut process: Process,
    answered: &mut u64,
) -> Retired<'a> {
    let (mut memory, mut object, mut idle_since) = (None, String::new(), Instant::now());
    let most = pool.recycle_after.map(|jobs| jobs + jobs / 10);
    let share = pool.recycle_after.map(|jobs| jobs + fastrand::u64(0..=jobs / 10));
    let limit = pool.launch.limit;
    loop {
        let mut task = tokio::select! {
            biased;
            () = pool.closing.cancelled() => {
                process.end(pool.grace()).await;
                return Retired::Closing;
            }
            why = process.fault() => {
                return Retired::Idle(end_faulty(pool, process, &why, &object).await);
            }
            task = pool.next() => task,
        };
        if process.files != pool.launch.files() {
            pool.give_back(task);
            retire(pool, index, process, "a file of its command was changed").await;
            return Retired::Asked;
        }
        if idle_since.elapsed() > IDLE && limit.check(process.pid(), &mut memory).await {
            pool.give_back(task);
            retire(pool, index, process, TOO_MUCH).await;
            return Retired::Asked;
        }
        match process.run(&mut task, limit).await {
            Done::Answered(message) => {
                let recycle = message.recycle;
                *answered += 1;
                object.clone_from(&task.key);
                task.reply(Ok(message.answer));
                if recycle {
                    retire(pool, index, process, "it asked for it").await;
                    return Retired::Asked;
                }
                if limit.check(process.pid(), &mut memory).await {
                    retire(pool, index, process, TOO_MUCH).await;
                    return Retired::Asked;
                }
                if share.is_some_and(|share| *answered >= share) {
                    let permit = pool.retiring.try_acquire().ok();
                    // At its limit it takes no more, so that it need not wait for another one's end.
                    if permit.is_some() || most.is_some_and(|most| *answered >= most) {
                        retire(pool, index, process, "it had its share of objects").await;
                        return Retired::Age(permit);
                    }
                }
                idle_since = Instant::now();
            }
            Done::Unaffected(why) => {
                pool.set(index, Slot::Starting);
                let object = task.key.clone();
                pool.move_on(task, &why);
                return Retired::Idle(end_faulty(pool, process, &why, &object).await);
            }
            Done::Lost(loss) => {
                pool.set(index, Slot::Starting);
                process.end(Duration::ZERO).await;
                task.reply(Err(loss));
                return Retired::Job;
            }
            Done::Cancelled => {
                pool.set(index, Slot::Starting);
                process.end(Duration::ZERO).await;
                return Retired::Asked;
            }
        }
    }
}

/// Ends a process that failed between two jobs. `object` is the last one that it had.
async fn end_faulty(pool: &Pool, process: Process, why: &str, object: &str) -> Failure {
    let (program, pid) = (pool.launch.program.name(), process.pid().as_raw_nonzero());
    let stderr = process.output.stderr();
    process.end(Duration::ZERO).await;
    let stderr = stderr.lines();
    tracing::warn!(program, pid, object, why, stderr, "a process of the program is replaced");
    Failure::told(format!("it said that it was ready, and then {why}")).with_stderr(&stderr)
}

async fn retire(pool: &Pool, index: usize, mut process: Process, why: &str) {
    pool.set(index, Slot::Starting);
    let (program, pid) = (pool.launch.program.name(), process.pid().as_raw_nonzero());
    tracing::info!(program, pid, why, "a process of the program is retired");
    process.jobs = None;
    let grace = tokio::select! {
        biased;
        () = pool.closing.cancelled() => pool.grace(),
        _ = process.ends_within(RETIRE_GRACE) => Duration::ZERO,
    };
    process.end(grace).await;
}

/// 0, 1, 2, 4 … 60 seconds.
fn backoff(failures: u32) -> Duration {
    match failures.checked_sub(1) {
        None => Duration::ZERO,
        Some(before) => Duration::from_secs(1 << before.min(6)).min(MAX_BACKOFF),
    }
}
