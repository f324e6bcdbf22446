//! CPU, allocations and system calls an object.

use std::time::Duration;

use tokio::runtime::Runtime;

use crate::{
    figure::{Figure, Scale, median},
    perf,
    rate::order,
    subject::{Kind, Subject},
    system::{Protocol, System},
};

const IN_FLIGHT: [usize; 3] = [1, 32, 256];

/// Of the bare loop's, and of the baseline's.
const OF_BARE: f64 = 1.25;
const OF_BASELINE: f64 = 0.5;

pub(crate) fn figures(scale: &Scale, system: &System, runtime: &Runtime) -> Vec<Figure> {
    println!("                    CPU µs an object      allocations     system calls   objects/s");
    let mut figures = Vec::new();
    for protocol in Protocol::ALL {
        for in_flight in IN_FLIGHT {
            let is_wanted = scale.wants(&Protocol::NAMES, protocol.name())
                && scale.wants(&["1", "32", "256"], &in_flight.to_string());
            if is_wanted {
                figures.extend(cell(scale, system, runtime, protocol, in_flight));
            }
        }
    }
    figures
}

/// The goal is one of gRPC alone, and of 1 and 32 in flight.
fn cell(
    scale: &Scale,
    system: &System,
    runtime: &Runtime,
    protocol: Protocol,
    in_flight: usize,
) -> Option<Figure> {
    let worker = system.worker(Duration::ZERO);
    let start = |kind: &Kind| Subject::start(kind, system, runtime, &worker, protocol, in_flight);
    let mut subjects: Vec<_> = Kind::all().iter().map(start).collect();
    let mut measured = vec![(Vec::new(), Vec::new()); subjects.len()];
    for round in 0..scale.rounds {
        for at in order(round, subjects.len()) {
            let (subject, (cpu, rate)) = (&mut subjects[at], &mut measured[at]);
            let drain = subject.drain(system, runtime, scale.objects);
            cpu.push(each(drain.cpu.as_secs_f64() * 1e6, scale.objects));
            rate.push(1.0 / each(drain.took.as_secs_f64(), scale.objects));
        }
    }
    let mut all = Vec::new();
    for (name, (subject, (cpu, rate))) in
        ["poller", "bare loop", "baseline"].iter().zip(subjects.iter_mut().zip(measured))
    {
        let (objects, id) = (scale.objects.min(2_000), subject.process.id());
        let counts = perf::count(id, || {
            subject.drain(system, runtime, objects);
        });
        let shown = |count: Option<u64>| match count {
            #[allow(clippy::cast_precision_loss, reason = "no bench makes 2^52 of them")]
            Some(count) => format!("{:.1}", each(count as f64, objects)),
            None => "–".into(),
        };
        let range =
            (cpu.iter().copied().fold(f64::MAX, f64::min), cpu.iter().copied().fold(0.0, f64::max));
        let (cpu, rate) = (median(cpu), median(rate));
        println!(
            "{:<5} {in_flight:>3} {name:<10} {cpu:>5.0} ({:>4.0} to {:>4.0}) {:>13} {:>16} {rate:>11.0}",
            protocol.name(),
            range.0,
            range.1,
            shown(counts.as_ref().map(|it| it.allocations)),
            shown(counts.as_ref().map(|it| it.system_calls)),
        );
        all.push(cpu);
    }
    let goal = all.get(2).map_or(0.0, |baseline| baseline * OF_BASELINE).max(all[1] * OF_BARE);
    let what = format!(
        "CPU of the poller, to the bare loop's, {} with {in_flight} in flight",
        protocol.name()
    );
    (protocol == Protocol::Grpc && in_flight < 256)
        .then(|| Figure::at_most(what, all[0] / all[1], goal / all[1], ""))
}

#[allow(clippy::cast_precision_loss, reason = "no bench has 2^52 objects")]
pub(crate) fn each(sum: f64, objects: usize) -> f64 {
    sum / objects as f64
}
