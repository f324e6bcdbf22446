//! Storage that fails, at each call of a replay: each object is moved once, and none is lost.

use super::{buckets::archiving, *};

const NAMES: [&str; 3] = ["a", "b", "c"];

async fn tried(world: World, operation: Operation, number: u64, fault: Fault) -> bool {
    let world = failed_in(world, &NAMES).await;
    let before = world.sim.calls(operation);
    world.sim.fail_nth(operation, before + number, fault.clone());
    replay(&world.poller, everything()).await;
    let is_met = world.sim.calls(operation) >= before + number;
    replay_to_the_end(&world.poller).await;
    let moved: Vec<_> = NAMES.iter().map(|name| (format!("in/{name}"), 1)).collect();
    let what = format!("{operation} {number} {fault:?}");
    assert_eq!(moves_in(&world.sim), moved, "{what}");
    assert_eq!(world.names(), NAMES.map(|name| format!("in/{name}")), "{what}");
    assert!(world.sim.fates().iter().all(|fate| fate.places.len() == 1), "{what}");
    is_met
}

#[tokio::test(start_paused = true)]
async fn each_object_is_moved_once_whatever_call_fails_or_loses_its_answer() {
    let operations = [
        Operation::List,
        Operation::Get,
        Operation::Move,
        Operation::Update,
        Operation::Rewrite,
        Operation::Delete,
    ];
    let faults = [
        Fault::Before(Kind::Unknown),
        Fault::Before(Kind::PermissionDenied),
        Fault::Before(Kind::Busy { retry_after: None }),
        Fault::AppliedThenLost,
    ];
    let mut met = 0;
    for operation in operations {
        for number in 1..=4 {
            for fault in &faults {
                for world in [world(refusing()), archiving(refusing())] {
                    met += u32::from(tried(world, operation, number, fault.clone()).await);
                }
            }
        }
    }
    assert!(met > 50, "{met}");
}

#[tokio::test(start_paused = true)]
async fn a_move_whose_answer_was_lost_is_told_as_moved() {
    for operation in [Operation::Move, Operation::Rewrite, Operation::Delete] {
        let is_rename = operation == Operation::Move;
        let world = if is_rename { world(refusing()) } else { archiving(refusing()) };
        let world = failed_in(world, &["a"]).await;
        world.sim.fail_next(operation, Fault::AppliedThenLost);
        let said = replay(&world.poller, everything()).await;
        assert_eq!(said.results(), [("a", ReplayResult::Replayed)], "{operation}");
        let is_marked = crate::mark::is_marked(&world.sim.objects("data")[0]);
        assert_eq!((world.names(), is_marked), (vec!["in/a".to_owned()], false), "{operation}");
    }
}

#[tokio::test(start_paused = true)]
async fn storage_that_does_not_come_back_ends_the_replay_as_unavailable() {
    let world = failed(&NAMES).await;
    world.refuse(Operation::Move, Kind::Unknown);
    let said = replay(&world.poller, everything()).await;
    let status = tonic::Status::from(said.error.unwrap());
    assert_eq!((status.code(), said.objects.len()), (Code::Unavailable, 0));
    assert!(!said.progress.is_empty(), "it says how far it is meanwhile");
}
