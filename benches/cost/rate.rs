//! Objects a second, to the bare loop's, with all processes apart.

use std::time::Duration;

use tokio::runtime::Runtime;

use crate::{
    cpu::each,
    figure::{Figure, Scale, median},
    subject::{Kind, Subject},
    system::{Protocol, System},
};

pub(crate) const IN_FLIGHT: usize = 32;

/// Objects a second of one subject, a figure for each round.
pub(crate) type Rates = Vec<f64>;

pub(crate) fn figures(scale: &Scale, system: &System, runtime: &Runtime) -> Vec<Figure> {
    [(0, 0.95), (20, 0.98)].map(|(work, goal)| figure(scale, system, runtime, work, goal)).into()
}

fn figure(scale: &Scale, system: &System, runtime: &Runtime, work: u64, goal: f64) -> Figure {
    let worker = system.worker(Duration::from_millis(work));
    let subjects = Kind::all()
        .iter()
        .map(|kind| Subject::start(kind, system, runtime, &worker, Protocol::Grpc, IN_FLIGHT))
        .collect();
    let rates = in_turn(scale, system, runtime, subjects);
    let ratio = ratio(&rates[0], &rates[1]);
    println!("{work} ms of work: {} objects/s (poller, bare loop, baseline)", shown(&rates));
    Figure::at_least(format!("objects/s to the bare loop's at {work} ms of work"), ratio, goal)
}

/// Each drains the same objects in each round.
pub(crate) fn in_turn(
    scale: &Scale,
    system: &System,
    runtime: &Runtime,
    mut subjects: Vec<Subject>,
) -> Vec<Rates> {
    let mut rates = vec![Rates::new(); subjects.len()];
    for round in 0..scale.rounds {
        for at in order(round, subjects.len()) {
            let drain = subjects[at].drain(system, runtime, scale.objects);
            rates[at].push(1.0 / each(drain.took.as_secs_f64(), scale.objects));
        }
    }
    rates
}

/// It alternates: the second finds the caches as the first left them.
pub(crate) fn order(round: usize, count: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |at| if round.is_multiple_of(2) { at } else { count - 1 - at })
}

/// The median of what each round says.
pub(crate) fn ratio(ours: &Rates, theirs: &Rates) -> f64 {
    median(ours.iter().zip(theirs).map(|(one, other)| one / other).collect())
}

/// The median of each.
pub(crate) fn shown(rates: &[Rates]) -> String {
    let shown: Vec<_> = rates.iter().map(|rates| format!("{:.0}", median(rates.clone()))).collect();
    shown.join(", ")
}
