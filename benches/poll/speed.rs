//! Objects a second, beside a bare loop.

use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use crate::{
    Figure, Scale, bare,
    rounds::paired,
    system::{IN_FLIGHT, System},
};

const BUDGET: Duration = Duration::from_secs(600);

pub(crate) fn figure(scale: &Scale, runtime: &Runtime, system: &System, work: &str) -> Figure {
    let objects = scale.objects;
    let pair = paired(
        scale.rounds,
        || {
            system.lay(objects);
            let began = Instant::now();
            runtime.block_on(system.poll(objects, false));
            rate(objects, began.elapsed())
        },
        || {
            system.lay(objects);
            let began = Instant::now();
            let ask = |request| system.worker.process(request, BUDGET);
            let moved = runtime.block_on(bare::poll(&*system.bucket, IN_FLIGHT, ask));
            assert_eq!(moved, objects);
            rate(objects, began.elapsed())
        },
    );
    let (poll, bare) = pair.medians();
    println!("{work} of work: the poll {poll:.0} objects/s, a bare loop {bare:.0}");
    let ratio = pair.ratio();
    Figure {
        what: format!("objects/s at {work} of work, to a bare loop's"),
        measured: format!("{ratio:.2} of {bare:.0}"),
        goal: "≥ 0.80",
        met: ratio >= 0.80,
    }
}

#[allow(clippy::cast_precision_loss, reason = "no round has 2^52 objects")]
fn rate(objects: usize, took: Duration) -> f64 {
    objects as f64 / took.as_secs_f64()
}
