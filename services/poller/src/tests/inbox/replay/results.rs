//! The result of each object.

use super::*;
use crate::mark;

#[tokio::test(start_paused = true)]
async fn a_replayed_object_is_in_the_inbox_without_a_mark_and_fails_again_with_its_first_attempt() {
    let world = failed(&["a.csv", "b/c.csv"]).await;
    world.sim.annotate("data", "failed/a.csv", "owner", "me").unwrap();
    let said = replay(&world.poller, everything()).await;
    let expected = [("a.csv", ReplayResult::Replayed), ("b/c.csv", ReplayResult::Replayed)];
    assert_eq!(said.results(), expected);
    assert_eq!(said.objects[1].destination, "gs://data/in/b/c.csv");
    assert_eq!(said.objects[1].object.as_ref().unwrap().reason, "no day");
    assert_eq!(said.counts(), ReplayCounts { replayed: 2, ..ReplayCounts::default() });
    assert_eq!((said.token(), said.error.is_some()), (String::new(), false));
    assert_eq!(said.started.unwrap().filter, Some(all(Place::Failed)));
    let objects = world.sim.objects("data");
    assert_eq!(world.names(), ["in/a.csv", "in/b/c.csv"]);
    assert_eq!(objects[0].metadata, Metadata::from([("owner".into(), "me".into())]));
    assert_eq!(objects[1].metadata, Metadata::new());
    world.poll_all().await;
    assert_eq!(world.names(), ["failed/a.csv", "failed/b/c.csv"]);
    assert_eq!(*world.worker.attempts.lock().unwrap(), [1, 1, 1, 1]);
    assert_eq!(world.sim.objects("data")[0].metadata[mark::ATTEMPTS], "1");
}

#[tokio::test(start_paused = true)]
async fn each_object_has_the_result_that_storage_gives_it() {
    let world = failed(&["again", "changed", "fine", "held", "kept", "replaced", "taken"]).await;
    world.upload(&["again"]);
    world.sim.set_temporary_hold("data", "failed/held", true).unwrap();
    let sim = world.sim.clone();
    world.sim.set_faults(move |call: &brigade_sim::Call| {
        if call.operation != Operation::Move {
            return None;
        }
        match &*call.name {
            "failed/kept" => return Some(Fault::Before(Kind::Held)),
            "failed/changed" => drop(sim.annotate("data", &call.name, "note", "mine").unwrap()),
            "failed/replaced" => drop(sim.upload("data", &call.name, "another").unwrap()),
            "failed/taken" => sim.remove("data", &call.name).unwrap(),
            _ => {}
        }
        None
    });
    let mut said = replay(&world.poller, everything()).await;
    world.sim.clear_faults();
    let missing = replay(&world.poller, named(&["missing"])).await;
    said.objects.extend(missing.objects);
    let table: Vec<_> = said
        .objects
        .iter()
        .map(|said| {
            let path = &said.object.as_ref().unwrap().path;
            let (result, to) = (said.result().as_str_name(), &said.destination);
            format!("{path}: {result} ({to}) {}", said.reason)
        })
        .collect();
    insta::assert_snapshot!(table.join("\n"));
    let expected = ReplayCounts { replayed: 1, conflicts: 1, gone: 2, held: 2, errors: 1 };
    assert_eq!(said.counts(), expected);
    assert_eq!(world.sim.content("data", "in/again").unwrap(), "1");
    assert_eq!(world.sim.content("data", "failed/replaced").unwrap(), "another");
    let expected = [
        "failed/again",
        "failed/changed",
        "failed/held",
        "failed/kept",
        "failed/replaced",
        "in/again",
        "in/fine",
    ];
    assert_eq!(world.names(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_about_one_object_stops_no_other_and_a_missing_permission_stops_all() {
    let world = failed(&["a", "b", "c"]).await;
    world.fail(1, Operation::Move, Kind::Invalid);
    let said = replay(&world.poller, everything()).await;
    assert_eq!(said.counts(), ReplayCounts { replayed: 2, errors: 1, ..Default::default() });
    world.refuse(Operation::Move, Kind::PermissionDenied);
    let said = replay(&world.poller, everything()).await;
    assert!(said.finished.is_none() && said.objects.is_empty(), "{said:?}");
    let status = tonic::Status::from(said.error.unwrap());
    assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
}

#[tokio::test(start_paused = true)]
async fn two_failed_objects_of_one_name_are_replayed_one_after_the_other() {
    let world = failed(&["x.csv"]).await;
    let world = failed_in(world, &["x.csv"]).await;
    let said = replay(&world.poller, everything()).await;
    assert_eq!(said.counts(), ReplayCounts { replayed: 1, conflicts: 1, ..Default::default() });
    world.poll_all().await;
    assert_eq!(world.names().len(), 2);
    assert_eq!(world.asked(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_poll_at_the_same_time_and_a_replay_lose_and_double_nothing() {
    for bucket in ["data", "archive"] {
        let names: Vec<String> = (0..20).map(|n| format!("x{n:02}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let world = world_with(refusing(), "in/", |config| {
            config.failed = brigade_storage::Location::new(bucket, "failed/");
        });
        let world = failed_in(world, &names).await;
        for _ in 0..5 {
            tokio::join!(replay(&world.poller, everything()), world.poll_all());
        }
        replay_to_the_end(&world.poller).await;
        world.poll_all().await;
        let mut left: Vec<_> = ["data", "archive"].map(|bucket| world.sim.objects(bucket)).concat();
        left.retain(|object| !object.name.starts_with(".brigade"));
        assert_eq!(left.len(), 20, "{bucket}");
        assert!(left.iter().all(|object| object.name.starts_with("failed/x")), "{bucket}");
        assert!(world.sim.fates().iter().all(|fate| fate.places.len() == 1), "{bucket}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_instance_remembers_of_a_failed_object_holds_no_replayed_one() {
    let asks = Script { first: std::sync::Mutex::default(), ..refusing() };
    let world = failed_in(world(leased(asks)), &["a"]).await;
    for asked in 2..=6 {
        replay(&world.poller, everything()).await;
        let event = world.event("in/a").await;
        assert!(event.is_ok(), "{event:?}");
        assert_eq!((world.asked(), world.names()), (asked, vec!["failed/a".to_owned()]));
    }
}
