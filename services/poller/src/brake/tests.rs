//! The brake over a simulated bucket, in simulated time.

use brigade_sim::{Fault, Sim};
use brigade_storage::{Kind, Operation, Store as _};

use super::*;

#[derive(Debug)]
struct SimTime(Sim);

impl Clock for SimTime {
    fn now(&self) -> Timestamp {
        self.0.clock().now()
    }
}

fn sim() -> Sim {
    Sim::new().with_bucket("data")
}

fn brake(sim: &Sim) -> Brake {
    Brake::new(sim.bucket("data"), &Location::new("data", "in/"))
}

fn reasons() -> Vec<Reason> {
    vec![Reason { count: 25, reason: "no column".into(), example: "gs://data/in/a".into() }]
}

async fn put_on(sim: &Sim, brake: &Brake) -> On {
    brake.put_on(reasons(), vec!["in/".into()], &SimTime(sim.clone())).await
}

async fn advance(minutes: u64) {
    tokio::time::advance(Duration::from_mins(minutes)).await;
}

#[tokio::test(start_paused = true)]
async fn every_instance_reads_what_one_has_written() {
    let sim = sim();
    let on = put_on(&sim, &brake(&sim)).await;
    let other = brake(&sim);
    assert_eq!(other.look(sim.clock().now()).await, Passage::Closed(on.clone()));
    assert_eq!(other.look(on.until).await, Passage::Probe(on.clone()));
    advance(2).await;
    assert_eq!(other.glance(sim.clock().now()).await, Passage::Probe(on.clone()));
    assert!(other.is_on());
    assert_eq!(other.on(), Some(on));
}

#[tokio::test(start_paused = true)]
async fn pauses_double_up_to_ten_minutes_and_probes_up_to_two_hundred_objects() {
    let sim = sim();
    let brake = brake(&sim);
    let mut steps = Vec::new();
    for _ in 0..12 {
        let on = put_on(&sim, &brake).await;
        let pause = on.until.duration_since(sim.clock().now()).as_secs() / 60;
        steps.push((pause, on.probe()));
    }
    let expected = [(1, 5), (2, 10), (4, 20), (8, 40), (10, 80), (10, 160), (10, 200)];
    assert_eq!(steps[..7], expected);
    assert_eq!(steps[11], (10, 200));
}

#[tokio::test(start_paused = true)]
async fn a_brake_that_is_lifted_is_gone_and_one_that_soon_returns_goes_on_where_it_was() {
    let sim = sim();
    let brake = brake(&sim);
    let first = put_on(&sim, &brake).await;
    put_on(&sim, &brake).await;
    brake.lift().await;
    assert!(!brake.is_on());
    assert_eq!(brake.look(sim.clock().now()).await, Passage::Free);
    advance(5).await;
    let again = put_on(&sim, &brake).await;
    assert_eq!((again.probe(), again.since), (20, first.since));
    brake.lift().await;
    advance(10).await;
    assert_eq!(put_on(&sim, &brake).await.probe(), 5);
}

#[tokio::test(start_paused = true)]
async fn of_two_instances_the_first_one_counts_and_a_lost_answer_changes_nothing() {
    let sim = sim();
    let (one, other) = (brake(&sim), brake(&sim));
    let on = put_on(&sim, &one).await;
    assert_eq!(put_on(&sim, &other).await, on);
    sim.fail_next(Operation::Create, Fault::AppliedThenLost);
    let longer = put_on(&sim, &one).await;
    assert_eq!(longer.probe(), 10);
    assert_eq!(other.look(sim.clock().now()).await, Passage::Closed(longer));
}

#[tokio::test(start_paused = true)]
async fn a_lift_removes_no_brake_that_another_instance_put_on_since() {
    let sim = sim();
    let (one, other) = (brake(&sim), brake(&sim));
    put_on(&sim, &one).await;
    other.look(sim.clock().now()).await;
    let longer = put_on(&sim, &one).await;
    other.lift().await;
    assert_eq!(other.look(sim.clock().now()).await, Passage::Closed(longer));
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_cannot_read_or_write_it_goes_on() {
    let sim = sim();
    let brake = brake(&sim);
    sim.set_faults(|_: &brigade_sim::Call| Some(Fault::Before(Kind::PermissionDenied)));
    assert_eq!(brake.look(sim.clock().now()).await, Passage::Free);
    let on = put_on(&sim, &brake).await;
    assert_eq!(brake.glance(sim.clock().now()).await, Passage::Closed(on));
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_may_not_write_it_keeps_its_own() {
    let sim = sim();
    brake(&sim).put_on(Vec::new(), Vec::new(), &SimTime(sim.clone())).await;
    let other = brake(&sim);
    sim.fail_next(Operation::Create, Fault::Before(Kind::PermissionDenied));
    assert_eq!(put_on(&sim, &other).await.reasons, reasons());
}

#[tokio::test(start_paused = true)]
async fn a_poll_tells_why_it_is_on_and_until_when() {
    let sim = sim();
    let on = put_on(&sim, &brake(&sim)).await;
    assert_eq!(on.summary(), r#"25 × "no column", such as gs://data/in/a"#);
    let event = on.to_event();
    assert_eq!((event.until, event.probe), (Some(wire::timestamp(on.until)), 5));
    let reason = &event.reasons[0];
    assert_eq!(
        (reason.count, &*reason.reason, &*reason.example),
        (25, "no column", "gs://data/in/a")
    );
}

#[tokio::test(start_paused = true)]
async fn an_object_of_another_origin_is_no_brake_and_is_replaced() {
    let sim = sim();
    sim.upload("data", ".brigade/in/brake", "mine").unwrap();
    let brake = brake(&sim);
    assert_eq!(brake.look(sim.clock().now()).await, Passage::Free);
    let on = put_on(&sim, &brake).await;
    assert_eq!(brake.look(sim.clock().now()).await, Passage::Closed(on));
}

#[tokio::test(start_paused = true)]
async fn what_events_know_of_it_is_less_than_ten_seconds_old() {
    let sim = sim();
    let (one, other) = (brake(&sim), brake(&sim));
    assert_eq!(other.glance(sim.clock().now()).await, Passage::Free);
    let on = put_on(&sim, &one).await;
    tokio::time::advance(MAX_AGE * 9 / 10).await;
    assert_eq!(other.glance(sim.clock().now()).await, Passage::Free, "storage is not asked");
    tokio::time::advance(MAX_AGE / 10).await;
    assert_eq!(other.glance(sim.clock().now()).await, Passage::Closed(on));
}

#[tokio::test(start_paused = true)]
async fn a_probe_begins_once_each_time_the_brake_goes_on() {
    let sim = sim();
    let brake = brake(&sim);
    for _ in 0..2 {
        put_on(&sim, &brake).await;
        assert!(brake.begin_probe());
        assert!(!brake.begin_probe(), "others belong to it");
    }
    brake.lift().await;
    assert!(brake.begin_probe());
}
