//! One object that an event or a task names: the same pipeline as in a poll, fenced by the generation that was named.

use std::{pin::pin, sync::Arc, time::Duration};

use brigade_proto::v1::Filter;
use brigade_storage::Object;
use brigade_telemetry::carried;
use futures::future::Either;
use tokio::time::{Instant, timeout};
use tracing::{Instrument as _, info};

use crate::{
    brake::Passage,
    config::Config,
    filter,
    in_flight::{Join, Leader},
    instance::{Instance, Slot},
    mark,
    outcome::{DEFERRED, Ignored, ObjectResult, RETRY_SOON, SharedResult},
    pipeline::{ObjectPipeline, complete},
    plan::Plan,
    request::{ObjectRef, Trigger},
    run::RunContext,
};

/// A named object waits for a slot no longer than this part of its caller's time: most of it is left for the worker.
const SLOT_SHARE: u32 = 4;

const TOO_LATE: &str = "it waited for a free slot, and the worker takes longer for most objects than the time that is left";
const AT_WORK: &str = "it is still at work on this instance";

/// Runs one object, or waits for the one that already runs it.
pub(crate) async fn process_object(
    instance: &Arc<Instance>,
    named: ObjectRef,
    trigger: Trigger,
) -> SharedResult {
    let arrived = Instant::now();
    let config = &instance.config;
    if !config.inbox.holds(&named.bucket, &named.name) {
        return Ok(ObjectResult::Ignored(Ignored::Elsewhere));
    }
    if let Some(skip) = filter::skip_name(config, &named.name) {
        return Ok(ObjectResult::Ignored(Ignored::Filtered(skip)));
    }
    let generation = match named.generation {
        Some(generation) => generation,
        None => match instance.settler.live(&named.name).await? {
            Some(live) => live.generation,
            None => return Ok(ObjectResult::superseded(&named)),
        },
    };
    loop {
        match instance.in_flight.join(&named.name, generation) {
            Join::Follower(follower) => {
                let left = wait_time(config, &trigger).saturating_sub(arrived.elapsed());
                match timeout(left, follower.result()).await {
                    Ok(Some(result)) => return result,
                    Ok(None) => {}
                    // Its sender sends it again by now, and hears the result then.
                    Err(_) => {
                        return Ok(ObjectResult::Retry { after: RETRY_SOON, why: AT_WORK.into() });
                    }
                }
            }
            Join::Leader(leader) => {
                if let Some(after) = leader.deferred_for() {
                    let result = Ok(ObjectResult::Retry { after, why: DEFERRED.into() });
                    complete(leader, &result);
                    return result;
                }
                let span = trigger.span(&named);
                // Nothing is changed yet, and a caller that goes away leaves no task behind that waits for a slot.
                let ready = ready(instance, &named, generation, &trigger);
                let (object, slot) = match ready.instrument(span.clone()).await {
                    Ok(ready) => ready,
                    Err(result) => {
                        complete(leader, &result);
                        return result;
                    }
                };
                let task_instance = instance.clone();
                let task = async move {
                    let plan = Plan::for_named(&task_instance.config, &trigger, arrived)?;
                    run(task_instance, &Arc::new(object), slot, plan, leader).await
                };
                // A caller that goes away leaves no object half settled.
                let task = instance.running.spawn(carried(task.instrument(span)));
                return task.await.unwrap_or_else(|_| Ok(ObjectResult::interrupted()));
            }
        }
    }
}

/// The object and a slot for it; or its result, when it is no work now or there is no slot in time.
async fn ready(
    instance: &Instance,
    named: &ObjectRef,
    generation: i64,
    trigger: &Trigger,
) -> Result<(Object, Slot), SharedResult> {
    let live = instance.settler.live(&named.name).await;
    let live = live.map_err(|error| Err(error.into()))?;
    let Some(object) = live.filter(|live| live.generation == generation) else {
        info!("superseded: that generation no longer exists");
        return Err(Ok(ObjectResult::superseded(named)));
    };
    if let Some(result) = not_now(instance, &object) {
        return Err(Ok(result));
    }
    if let Some(until) = braked(instance, &object).await {
        return Err(Ok(until));
    }
    let slot = timeout(
        wait_time(&instance.config, trigger) / SLOT_SHARE,
        instance.slots.clone().acquire_owned(),
    );
    let mut shutdown = pin!(instance.shutdown.cancelled());
    match futures::future::select(pin!(slot), &mut shutdown).await {
        Either::Left((Ok(Ok(slot)), _)) => Ok((object, slot)),
        Either::Left(_) | Either::Right(_) => Err(Ok(ObjectResult::interrupted())),
    }
}

/// How long the caller waits.
fn wait_time(config: &Config, trigger: &Trigger) -> Duration {
    trigger.deadline.unwrap_or(Duration::MAX).min(config.budgets.poll_deadline)
}

/// The result of an object that the inbox's brake stops. When its time is over, events and tasks are its probe where no
/// poll is.
async fn braked(instance: &Instance, object: &Object) -> Option<ObjectResult> {
    if instance.config.budgets.max_refusals == 0 || mark::recorded_verdict(object).is_some() {
        return None;
    }
    let now = instance.clock.now();
    match instance.brake.glance(now).await {
        Passage::Free => {
            instance.brake_is_free();
            None
        }
        Passage::Probe(on) => {
            if instance.brake.begin_probe() {
                instance.dispatcher.restart_streak(on.probe());
            }
            None
        }
        Passage::Closed(on) => Some(ObjectResult::Retry {
            after: Duration::try_from(on.until.duration_since(now)).unwrap_or_default(),
            why: format!(
                "the inbox's brake is on until {}: the worker refused many objects in a row and accepted none",
                on.until
            ),
        }),
    }
}

/// The result of an object that a filter leaves out, at least for now.
fn not_now(instance: &Instance, object: &Object) -> Option<ObjectResult> {
    let now = instance.clock.now();
    let skip = filter::skip_named(&instance.config, object, now)?;
    info!(filter = skip.filter.as_str_name(), detail = %skip.detail, "left out by a filter");
    if skip.filter == Filter::MinAge {
        let after = instance.config.min_age.saturating_sub(filter::age(object, now));
        return Some(ObjectResult::Retry {
            after,
            why: format!("it is too young: {}", skip.detail),
        });
    }
    let Some(due) = mark::due(object).filter(|_| skip.filter == Filter::NotDue) else {
        return Some(ObjectResult::Ignored(Ignored::Filtered(skip)));
    };
    let why = if mark::recorded_verdict(object).is_some() {
        "storage refused to move it"
    } else {
        "the worker asked for time"
    };
    Some(ObjectResult::Retry {
        after: Duration::try_from(due.duration_since(now)).unwrap_or_default(),
        why: format!("{why}; {}", skip.detail),
    })
}

async fn run(
    instance: Arc<Instance>,
    object: &Arc<Object>,
    slot: Slot,
    plan: Plan,
    leader: Leader<SharedResult>,
) -> SharedResult {
    let run = RunContext::for_named(instance, plan);
    if run.is_too_late(mark::recorded_verdict(object).is_none()) {
        let result = Ok(ObjectResult::Retry { after: RETRY_SOON, why: TOO_LATE.into() });
        complete(leader, &result);
        return result;
    }
    let mut pipeline = pin!(ObjectPipeline::for_named(&run).run(object, slot));
    let finished = tokio::select! {
        biased;
        finished = &mut pipeline => finished,
        () = run.grace_over() => {
            run.abort_calls.cancel();
            pipeline.await
        }
    };
    finished.complete_alone(leader, &run.instance.activity)
}
