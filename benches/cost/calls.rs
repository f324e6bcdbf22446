//! Storage calls an object, by the emulator's own count.

use std::time::Duration;

use tokio::runtime::Runtime;

use crate::{
    cpu::each,
    figure::{Figure, Scale},
    latency::event,
    subject::{Kind, Subject},
    system::{Protocol, System},
};

#[allow(clippy::cast_precision_loss, reason = "no bench makes 2^52 calls")]
pub(crate) fn figures(scale: &Scale, system: &System, runtime: &Runtime) -> Vec<Figure> {
    let worker = system.worker(Duration::ZERO);
    let kind = Kind::built();
    let mut subject = Subject::start(&kind, system, runtime, &worker, Protocol::Grpc, 32);
    let storage = system.emulator.storage();
    storage.reset_calls();
    subject.drain(system, runtime, scale.objects);
    let sweep = storage.calls();
    println!("storage calls of a sweep of {} objects: {sweep:?}", scale.objects);

    let announced = scale.objects.min(1_000);
    system.lay(announced);
    let objects = storage.list("").unwrap();
    storage.reset_calls();
    let poller = subject.poller();
    runtime.block_on(async {
        for object in objects {
            let answer = poller.post("events", &event(&object.name, object.generation)).await;
            assert_eq!(answer.status(), 204);
        }
    });
    let events = storage.calls();
    println!("storage calls of {announced} events: {events:?}");
    let each = |calls: u64, objects| each(calls as f64, objects);
    vec![
        Figure::at_most(
            "Class A an object, by sweep",
            each(sweep.class_a(), scale.objects),
            1.01,
            "",
        ),
        // The look at the inbox's brake is one for the whole poll.
        Figure::at_most("Class B of a whole sweep", sweep.class_b() as f64, 1.0, ""),
        Figure::at_most(
            "Class A an object, by events",
            each(events.class_a(), announced),
            1.01,
            "",
        ),
        Figure::at_most(
            "Class B an object, by events",
            each(events.class_b(), announced),
            1.01,
            "",
        ),
    ]
}
