//! Uploads that are announced to the pollers, and delivered again until they are dealt with, as Pub/Sub does.

use std::{sync::atomic::Ordering, time::Duration};

use brigade_poller::{
    outcome::ObjectResult,
    request::{ObjectRef, Trigger},
};
use fastrand::Rng;
use futures::{StreamExt as _, stream::FuturesUnordered};
use tokio::{sync::mpsc, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    people::BUCKET,
    report::{Report, Said},
    world::World,
};

/// The pauses between two deliveries: doubling, and cut off.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_mins(10);

/// An upload: its name and generation.
pub(crate) type Upload = (String, i64);

/// Delivers what comes until `over`.
pub(crate) async fn deliver(
    world: &World,
    mut uploads: mpsc::UnboundedReceiver<Upload>,
    over: &CancellationToken,
) -> Report {
    let mut rng = world.schedule.rng("events");
    let mut report = Report { is_events: true, ..Report::default() };
    let mut deliveries = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            () = over.cancelled() => return report,
            Some(said) = deliveries.next() => report.settled.extend::<Option<Said>>(said),
            Some(upload) = uploads.recv() => {
                deliveries.push(until_settled(world, upload, rng.fork()));
            }
        }
    }
}

/// Delivers one message until it is acknowledged.
async fn until_settled(world: &World, upload: Upload, mut rng: Rng) -> Option<Said> {
    let (name, generation) = upload;
    let named = ObjectRef { bucket: BUCKET.to_owned(), name, generation: Some(generation) };
    let mut pause = FIRST_PAUSE;
    loop {
        sleep(Duration::from_millis(rng.u64(0..1_000))).await;
        world.deliveries.fetch_add(1, Ordering::Relaxed);
        let number = rng.usize(0..world.schedule.pollers);
        let deadline = Some(Duration::from_secs(rng.u64(10..600)));
        let trigger = Trigger { kind: "pubsub", deadline, ..Trigger::default() };
        let instance = world.instance(number);
        let result = tokio::select! {
            biased;
            () = instance.ends.dead.cancelled() => None,
            result = instance.named.process_object(named.clone(), trigger) => Some(result),
        };
        match result {
            Some(Ok(ObjectResult::Settled(settled))) => {
                return Some(Said::from(*settled));
            }
            Some(Ok(ObjectResult::Ignored(_))) => return None,
            Some(Ok(ObjectResult::Retry { .. }) | Err(_)) | None => {}
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
