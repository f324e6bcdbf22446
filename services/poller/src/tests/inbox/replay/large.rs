//! A hundred thousand objects: what they cost, and what of them is in memory.

use brigade_sim::{Call, Synthetic};
use brigade_storage::NewObject;

use super::*;

const MANY: u64 = 100_000;

#[tokio::test]
async fn one_page_is_in_memory() {
    let bucket = Synthetic::new("data", "failed/", MANY);
    let poller = Poller::new(world::config("in/"), &bucket, Arc::new(Script::default()));
    let mut said = Said::default();
    let mut stream = Box::pin(poller.replay(everything()).unwrap());
    let (mut results, mut most_ahead) = (0, 0);
    while let Some(response) = stream.next().await {
        said.hear(response);
        results += said.objects.drain(..).count() as u64;
        most_ahead = most_ahead.max(bucket.shown() - results);
    }
    assert_eq!(said.counts().replayed, MANY.cast_signed());
    assert_eq!((bucket.pages(), bucket.written(), bucket.most_open()), (100, MANY, 0));
    // A page, and what the caller has not read.
    assert!(most_ahead <= 1_000 + 100, "{most_ahead}");
}

#[tokio::test(start_paused = true)]
async fn a_replay_that_is_killed_half_way_and_run_again_moves_each_object_once_with_two_calls() {
    let world = world(Script::default());
    let failure = crate::mark::Failure::default();
    for number in 0..MANY {
        let name = format!("{number:06}");
        let object = Object { bucket: "data".into(), ..object(&format!("in/{name}"), 7) };
        let mut metadata = crate::mark::failed(&object, &failure, 1, Timestamp::UNIX_EPOCH);
        metadata.retain(|_, value| !value.is_empty());
        let new = NewObject { metadata, ..NewObject::default() };
        world.sim.upload_new("data", &format!("failed/{name}"), new).unwrap();
    }
    // From here on no call is answered, and half of them are applied.
    let killed = Duration::from_hours(100_000);
    world.sim.set_faults(move |call: &Call| {
        let is_dead = call.operation == Operation::Move && call.number > MANY / 2;
        is_dead.then_some(match call.number % 2 {
            0 => Fault::Delay(killed),
            _ => Fault::AppliedThenDelay(killed),
        })
    });
    let mut stream = Box::pin(world.poller.replay(everything()).unwrap());
    let mut said = Said::default();
    while said.objects.len() as u64 + 16 < MANY / 2 {
        said.hear(stream.next().await.unwrap());
    }
    drop(stream);
    world.sim.clear_faults();
    let said = replay(&world.poller, everything()).await;
    let (counts, again) = (said.counts(), said.objects.len() as u64);
    assert_eq!(again.cast_signed(), counts.replayed);
    let moves = moves_in(&world.sim);
    assert_eq!(moves.len() as u64, MANY);
    assert!(moves.iter().all(|(_, moves)| *moves == 1));
    assert!(world.all_in("in/"));
    let changes = world.sim.calls(Operation::Move) + world.sim.calls(Operation::Update);
    // The 16 that were killed are moved again.
    assert!(changes <= 2 * MANY + 32, "{changes}");
    assert!(world.pages() <= 2 * 101 + 1, "{}", world.pages());
}
