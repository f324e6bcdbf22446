//! A service that waits.

use std::{thread::sleep, time::Duration};

use tokio::runtime::Runtime;

use crate::{
    figure::{Figure, Scale},
    subject::{Kind, Subject},
    system::{Protocol, System},
};

#[allow(clippy::cast_precision_loss, reason = "no bench has 2^52 ticks")]
pub(crate) fn figures(scale: &Scale, system: &System, runtime: &Runtime) -> Vec<Figure> {
    let worker = system.worker(Duration::ZERO);
    let kind = Kind::built();
    let subject = Subject::start(&kind, system, runtime, &worker, Protocol::Grpc, 32);
    // What a drain leaves behind is over.
    sleep(scale.idle / 10);
    let before = subject.process.ticks();
    sleep(scale.idle);
    let ticks = subject.process.ticks() - before;
    let what = format!("CPU ticks of a waiting poller in {} s", scale.idle.as_secs());
    vec![Figure::at_most(what, ticks as f64, 0.0, "")]
}
