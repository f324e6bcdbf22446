//! What is work and what is not, over whole polls.

use brigade_storage::provenance;
use jiff::Timestamp;

use super::*;

#[tokio::test(start_paused = true)]
async fn an_inbox_that_is_a_whole_bucket_takes_neither_its_destinations_nor_its_lease_for_work() {
    let script = Script {
        lease: true,
        answers: [("bad", Answer::status(Code::InvalidArgument, "no"))].into(),
        ..Script::default()
    };
    let world = world_with(script, "", |_| {});
    world.put(
        &["a", "bad", "processed2/b", "processed", ".brigade", "failed/old", "processed/old"],
        "1",
    );
    let first = world.poll_all().await;
    assert_eq!(first.settled.len(), 5, "{first:?}");
    let settled = [
        "failed/bad",
        "failed/old",
        "processed/.brigade",
        "processed/a",
        "processed/old",
        "processed/processed",
        "processed/processed2/b",
    ];
    assert_eq!(world.names(), settled);

    let second = world.poll_all().await;
    assert!(second.settled.is_empty(), "{second:?}");
    assert_eq!((world.names(), world.asked()), (settled.map(str::to_owned).to_vec(), 5));
}

#[tokio::test(start_paused = true)]
async fn an_inbox_takes_nothing_from_a_folder_whose_name_begins_like_its_own() {
    let world = world_with(Script::default(), "in", |_| {});
    world.put(&["in/a", "in2/a", "in", "inbox"], "1");
    world.poll_all().await;
    assert_eq!(world.names(), ["in", "in2/a", "inbox", "processed/a"]);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_held_is_never_asked_about_until_it_is_free() {
    let world = answering([]);
    world.upload(&["event", "free", "kept", "temporary"]);
    let until = world.sim.clock().now() + Duration::from_secs(3600);
    world.sim.set_event_based_hold("data", "in/event", true).unwrap();
    world.sim.set_temporary_hold("data", "in/temporary", true).unwrap();
    world.sim.retain("data", "in/kept", Some(until)).unwrap();
    for _ in 0..3 {
        let ended = world.poll_all().await;
        assert_eq!(ended.finished.unwrap().counts.unwrap().held, 3);
    }
    assert_eq!(*world.worker.asked.lock().unwrap(), ["in/free"]);

    tokio::time::advance(Duration::from_secs(3601)).await;
    world.sim.set_event_based_hold("data", "in/event", false).unwrap();
    world.sim.set_temporary_hold("data", "in/temporary", false).unwrap();
    world.poll_all().await;
    assert_eq!(world.asked(), 4);
    assert!(world.all_in("processed/"));
}

#[tokio::test(start_paused = true)]
async fn explain_names_for_each_object_the_filter_and_the_value_that_decided() {
    let script = Script {
        answers: [("later", super::again::asking(Code::Unavailable, Some(600)))].into(),
        ..Script::default()
    };
    let world = world_with(script, "", |config| {
        config.min_age = Duration::from_secs(60);
        config.matching = Some("*.csv".parse().unwrap());
        config.exclude = Some("tmp*".parse().unwrap());
        config.skip_empty = true;
    });
    world.put(&["later.csv"], "1");
    tokio::time::advance(Duration::from_secs(120)).await;
    world.put(&["empty.csv", "folder/", "night_$folder$"], "");
    world.put(&[".brigade/x.csv", "_temporary/x.csv", "held.csv", "output.csv"], "1");
    world.put(&["processed/x.csv", "tmp.csv", "x.txt"], "1");
    for (key, value) in [(provenance::KEY, "data/x.csv#1"), (provenance::INBOX, "gs://data/")] {
        world.sim.annotate("data", "output.csv", key, value).unwrap();
    }
    world.sim.set_temporary_hold("data", "held.csv", true).unwrap();
    tokio::time::advance(Duration::from_secs(60)).await;
    world.put(&["young.csv"], "1");
    let mark = crate::mark::retry(
        &world.sim.objects("data").into_iter().find(|o| o.name == "later.csv").unwrap(),
        "busy",
        1,
        Timestamp::from_second(1_800_000_000).unwrap(),
    );
    for (key, value) in mark {
        world.sim.annotate("data", "later.csv", &key, &value).unwrap();
    }

    let request = request(|r| r.explain = true);
    let mut events = world.poller.start(&request, &Trigger::default()).unwrap();
    let mut shown = Vec::new();
    while let Some(event) = events.recv().await {
        if let Some(brigade_proto::v1::poll_response::Event::Skipped(skipped)) =
            event.unwrap().event
        {
            let (filter, detail) = (skipped.filter().as_str_name(), &skipped.detail);
            shown.push(format!("{}: {filter}: {detail}\n", skipped.object.unwrap().name));
        }
    }
    shown.sort();
    insta::assert_snapshot!(shown.concat());
    assert_eq!(world.asked(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_storage_refuses_to_move_stays_with_its_reason_and_stops_no_other() {
    let world = answering([]).with(&["a", "encrypted", "z"]);
    world.sim.set_faults(|call: &brigade_sim::Call| {
        let refused = call.operation == Operation::Move && call.name == "in/encrypted";
        refused.then_some(Fault::Before(Kind::Invalid))
    });
    let ended = world.poll_all().await;
    assert_eq!(ended.reason(), EndReason::Complete);
    assert_eq!(
        ended.settled,
        [
            ("in/a".into(), Settlement::Processed),
            ("in/encrypted".into(), Settlement::Retry),
            ("in/z".into(), Settlement::Processed),
        ]
    );
    assert_eq!(world.names(), ["in/encrypted", "processed/a", "processed/z"]);
}

#[tokio::test(start_paused = true)]
async fn a_file_uploaded_again_after_it_was_listed_is_processed_in_its_turn() {
    let world = world(gated()).with(&["a"]);
    let polled = async { world.poll_all().await };
    let upload_again = async {
        world.worker.entered.notified().await;
        world.put(&["in/a"], "2");
        world.release();
    };
    let (ended, ()) = tokio::join!(polled, upload_again);
    assert_eq!(ended.settled, [("in/a".into(), Settlement::Superseded)]);
    world.release();
    assert_eq!(world.poll_all().await.settled, [("in/a".into(), Settlement::Processed)]);
    assert_eq!(world.sim.content("data", "processed/a").unwrap(), "2");
}
