//! Objects that are tried again, and those that had their tries.

use std::sync::Mutex;

use super::*;

pub(super) fn asking(code: Code, after: Option<u64>) -> Answer {
    let mut answer = Answer::status(code, "the model is loading");
    if let Answer::Worker(answer) = &mut answer {
        answer.retry_after = after.map(Duration::from_secs);
    }
    answer
}

fn metadata<'a>(object: &'a brigade_storage::Object, key: &str) -> &'a str {
    object.metadata.get(key).map_or("", String::as_str)
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_asks_for_time_is_asked_again_within_the_poll() {
    let world = answering([]);
    let first = [asking(Code::Unavailable, None)];
    (world.worker.first.lock().unwrap()).insert("a", first.into());
    world.upload(&["a"]);
    let ended = world.poll_all().await;
    assert_eq!(ended.settled, [("in/a".into(), Settlement::Processed)]);
    assert_eq!(*world.worker.attempts.lock().unwrap(), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn attempts_and_the_next_due_time_are_kept_on_the_object() {
    let world = answering([("a", asking(Code::Unavailable, Some(90)))]);
    world.upload(&["a"]);
    let ended = world.poll_all().await;
    assert_eq!(ended.settled, [("in/a".into(), Settlement::Retry)]);
    let object = &world.sim.objects("data")[0];
    assert_eq!(metadata(object, "brigade-attempts"), "1");
    assert_eq!(metadata(object, "brigade-reason"), "the model is loading");

    let early = world.poll(request(|r| r.explain = true)).await;
    assert_eq!(early.skipped, [("in/a".into(), Filter::NotDue)]);
    tokio::time::advance(Duration::from_secs(91)).await;
    world.poll_all().await;
    assert_eq!(*world.worker.attempts.lock().unwrap(), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn the_last_attempt_sends_it_to_failed_with_its_reason() {
    let world = answering([("a", asking(Code::Unavailable, Some(90)))]);
    world.upload(&["a"]);
    for _ in 0..4 {
        assert_eq!(world.poll_all().await.settled[0].1, Settlement::Retry);
        tokio::time::advance(Duration::from_mins(20)).await;
    }
    assert_eq!(world.poll_all().await.settled[0].1, Settlement::Failed);
    let failed = &world.sim.objects("data")[0];
    assert_eq!(failed.name, "failed/a");
    assert_eq!(metadata(failed, "brigade-attempts"), "5");
    assert_eq!(metadata(failed, "brigade-reason"), "5 attempts; the last: the model is loading");
    assert_eq!(metadata(failed, "brigade-retry-at"), "");
}

#[tokio::test(start_paused = true)]
async fn five_attempts_take_minutes_so_that_a_worker_may_restart() {
    let world = answering([("a", asking(Code::Unavailable, None))]);
    world.upload(&["a"]);
    let began = tokio::time::Instant::now();
    while world.poll_all().await.settled.first().map(|s| s.1) != Some(Settlement::Failed) {
        tokio::time::advance(Duration::from_secs(10)).await;
    }
    assert!(began.elapsed() > Duration::from_mins(2));
    assert_eq!(world.asked(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_uploaded_again_has_all_its_attempts() {
    let world = answering([("a", asking(Code::Unavailable, Some(90)))]);
    world.upload(&["a"]);
    world.poll_all().await;
    world.upload(&["a"]);
    world.poll_all().await;
    assert_eq!(*world.worker.attempts.lock().unwrap(), [1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_full_costs_no_attempt() {
    let world = answering([]);
    let busy: Vec<_> = (0..20).map(|_| asking(Code::ResourceExhausted, Some(1))).collect();
    (world.worker.first.lock().unwrap()).insert("a", busy.into());
    world.upload(&["a"]);
    let ended = world.poll_all().await;
    assert_eq!(ended.settled, [("in/a".into(), Settlement::Processed)]);
    assert!(world.worker.attempts.lock().unwrap().iter().all(|attempt| *attempt == 1));
    assert_eq!(world.sim.calls(Operation::Update), 0);
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_recovers_costs_no_attempt() {
    let world = answering([]);
    let lost: Vec<_> =
        (0..3).map(|_| Answer::Transport(TransportError::Connect("refused".into()))).collect();
    (world.worker.first.lock().unwrap()).insert("a", lost.into());
    world.upload(&["a"]);
    let ended = world.poll_all().await;
    assert_eq!(ended.settled, [("in/a".into(), Settlement::Processed)]);
    assert_eq!(*world.worker.attempts.lock().unwrap(), [1, 1, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_always_times_out_ends_in_failed() {
    let world = answering([("a", Answer::TimedOut(Duration::from_secs(60)))]);
    world.upload(&["a"]);
    for _ in 0..5 {
        world.poll_all().await;
        tokio::time::advance(Duration::from_mins(20)).await;
    }
    assert_eq!(world.names(), ["failed/a"]);
    assert_eq!(world.asked(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_the_polls_own_deadline_cut_short_is_no_attempt() {
    let world = world(Script {
        answers: [("slow", Answer::TimedOut(Duration::from_secs(60)))].into(),
        first: Mutex::new(
            [("slow", [Answer::Transport(TransportError::Connect("refused".into()))].into())]
                .into(),
        ),
        waits: Some(Duration::from_secs(60)),
        ..Script::default()
    });
    world.upload(&["slow"]);
    let ended = world.poll_within(90).await;
    assert_eq!(ended.settled, [("in/slow".into(), Settlement::Retry)]);
    assert_eq!(world.asked(), 2);
    assert_eq!(world.sim.calls(Operation::Update), 0, "an attempt was counted");
}

#[tokio::test(start_paused = true)]
async fn an_object_that_waits_for_its_next_try_keeps_no_other_waiting() {
    let slow = ["s1", "s2"];
    let world = answering(slow.map(|name| (name, asking(Code::Unavailable, Some(20)))));
    world.upload(&slow);
    world.upload(&["t", "u", "v"]);
    let began = tokio::time::Instant::now();
    let mut events = world.start();
    let mut processed = 0;
    while processed < 3 {
        let event = events.recv().await.unwrap().unwrap().event.unwrap();
        if let brigade_proto::v1::poll_response::Event::Settled(settled) = event {
            assert_eq!(settled.settlement(), Settlement::Processed);
            processed += 1;
        }
    }
    assert!(began.elapsed() < Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn attempts_that_cannot_be_written_do_not_end_the_poll() {
    let world = answering([("a", asking(Code::Unavailable, Some(90)))]);
    world.upload(&["a", "b"]);
    world.fail(7, Operation::Update, Kind::Unknown);
    let ended = world.poll_all().await;
    assert_eq!(ended.reason(), EndReason::Complete);
    assert_eq!(world.names(), ["in/a", "processed/b"]);
}
