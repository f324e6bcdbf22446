//! The rows of docs/fleet.tsv.

use std::fmt::Write as _;

use crate::{
    facts::{MINUTE, READS, SECOND, WINDOW_MAX, WRITES},
    fleet::run,
    outcome::{Outcome, seconds},
    scenario::{Dispatch, Scenario},
    timeline::Micros,
};

/// Of the file, relative to the root of the repository.
#[cfg(test)]
pub(crate) const FILE: &str = "docs/fleet.tsv";
pub(crate) const VOLUMES: [f64; 6] = [1e4, 1e5, 1e6, 1e7, 1e8, 1e9];
pub(crate) const KINDS: [(&str, Dispatch); 4] = [
    ("sweep", Dispatch::Sweep { every: MINUTE, relist: None }),
    ("relist", Dispatch::Sweep { every: MINUTE, relist: Some(2 * SECOND) }),
    ("events", Dispatch::Events),
    ("tasks", Dispatch::Tasks { every: MINUTE }),
];
const DAY: f64 = 86_400.0;
/// The peak, of the mean.
const PEAK: f64 = 5.0;
/// Writes of an object: its upload, its move, an output.
const WRITES_EACH: f64 = 3.0;
/// Seconds of an object in a poll, and the most that may be in flight of the places.
const HELD: f64 = 2.2;
const FULL: f64 = 0.8;
/// Writes a second that one bucket shall have at most, three doublings from what it begins with; deliveries a second of a queue.
const BUCKET: f64 = 8.0 * WRITES;
const QUEUE: f64 = 450.0;
/// Objects a second that are modelled at most: an inbox with more is cut into slices.
const MODELLED: f64 = 60.0;
/// Objects that are modelled at least.
const OBJECTS: f64 = 3_000.0;

/// How an inbox of a volume is set up.
pub(crate) struct Plan {
    pub(crate) inboxes: f64,
    pub(crate) in_flight: usize,
    pub(crate) slice: f64,
}

impl Plan {
    pub(crate) fn new(dispatch: Dispatch, a_day: f64) -> Self {
        let peak = PEAK * a_day / DAY;
        let (in_flight, inboxes) = match dispatch {
            Dispatch::Sweep { .. } if peak * HELD <= FULL * 32.0 => (32, 1.0),
            Dispatch::Sweep { .. } => (256, peak * HELD / (FULL * 256.0)),
            Dispatch::Events => {
                (32, (peak * WRITES_EACH / BUCKET).max(peak * HELD / (FULL * WINDOW_MAX)))
            }
            Dispatch::Tasks { .. } => (32, peak / QUEUE),
        };
        let inboxes = inboxes.ceil().max(1.0);
        let slice = match dispatch {
            Dispatch::Sweep { .. } => 1.0,
            _ => (peak / inboxes / MODELLED).ceil().max(1.0),
        };
        Self { inboxes, in_flight, slice }
    }

    /// One slice of one inbox, at so many objects a second of all.
    pub(crate) fn scenario(&self, dispatch: Dispatch, of_all: f64) -> Scenario {
        let rate = of_all / self.inboxes / self.slice;
        let mut scenario = Scenario::new(dispatch, rate);
        scenario.in_flight = self.in_flight;
        scenario.poller.places = self.in_flight;
        scenario.slice = self.slice;
        // The bucket has had such a peak before.
        let wanted = 1.3 * WRITES_EACH * rate * self.slice / WRITES;
        let doubled = 2_f64.powf(wanted.log2().ceil().max(0.0));
        (scenario.writes, scenario.reads) = (WRITES * doubled, READS * doubled);
        scenario.measured = scenario.measured.max(micros(OBJECTS / rate));
        scenario
    }

    fn instances(&self, modelled: usize) -> f64 {
        let modelled = modelled as f64;
        modelled * self.slice * self.inboxes
    }
}

/// The file's content.
pub(crate) fn tsv() -> String {
    let mut out = String::from(
        "# The fleet model's outcome; docs/SCALE.md explains it. Made by: cargo run --release --example fleet\n\
         # p50 and p99 are seconds from upload to settled at the peak; a, b, published, tasked, called, requested, poller_s and worker_s\n\
         # are for one object at the mean: Class A and B, messages, operations of Cloud Tasks, requests to worker and poller, billed seconds.\n\
         dispatch\ta_day\tinboxes\tin_flight\tpollers\tworkers\tp50\tp99\ta\tb\tpublished\ttasked\tcalled\trequested\tpoller_s\tworker_s\n",
    );
    for (name, dispatch) in KINDS {
        for a_day in VOLUMES {
            let plan = Plan::new(dispatch, a_day);
            let mean = run(&plan.scenario(dispatch, a_day / DAY));
            let peak = run(&plan.scenario(dispatch, PEAK * a_day / DAY));
            assert!(mean.broken.is_empty() && peak.broken.is_empty(), "{mean:?} {peak:?}");
            let row = [
                plan.inboxes,
                (plan.in_flight as f64),
                plan.instances(peak.pollers),
                plan.instances(peak.workers),
            ];
            write!(out, "{name}\t{a_day:.0}").unwrap();
            for value in row {
                write!(out, "\t{value:.0}").unwrap();
            }
            write!(out, "\t{:.2}\t{:.2}", peak.percentile(0.5), peak.percentile(0.99)).unwrap();
            for value in each(&mean) {
                write!(out, "\t{value:.4}").unwrap();
            }
            out.push('\n');
        }
    }
    out + &studies()
}

/// What one object takes.
fn each(outcome: &Outcome) -> [f64; 8] {
    let counts = outcome.counts;
    let all = [
        counts.class_a as f64,
        counts.class_b as f64,
        counts.publishes as f64,
        counts.task_operations as f64,
        outcome.worker_requests as f64,
        outcome.poller_requests as f64,
        outcome.poller_seconds,
        outcome.worker_seconds,
    ];
    all.map(|value| value / outcome.settled.max(1) as f64)
}

/// 100,000 objects at once, and a bucket without a past.
fn studies() -> String {
    let mut out = String::from(
        "study\tdispatch\tseconds\tpollers\tworkers\tp50\tp99\trefused\tno_instance\n",
    );
    let mut add = |study: &str, name: &str, end: Micros, slice: f64, outcome: &Outcome| {
        let [pollers, workers, refused, no_instance] = [
            outcome.pollers as f64,
            outcome.workers as f64,
            outcome.refused as f64,
            outcome.refused_requests as f64,
        ]
        .map(|count| count * slice);
        let (p50, p99) = (outcome.percentile(0.5), outcome.percentile(0.99));
        let end = seconds(end);
        writeln!(
            out,
            "{study}\t{name}\t{end:.0}\t{pollers:.0}\t{workers:.0}\t{p50:.2}\t{p99:.2}\t{refused:.0}\t{no_instance:.0}"
        )
        .unwrap();
    };
    for (name, dispatch) in KINDS {
        let outcome = run(&burst(dispatch));
        assert!(outcome.broken.is_empty(), "{outcome:?}");
        add("burst", name, outcome.ended, burst(dispatch).slice, &outcome);
    }
    let cold = cold();
    let outcome = run(&cold);
    add("cold", "events", outcome.last_refused, cold.slice, &outcome);
    out
}

/// 100,000 objects at once, and 100 instances of the worker.
pub(crate) fn burst(dispatch: Dispatch) -> Scenario {
    let slice = if matches!(dispatch, Dispatch::Sweep { .. }) { 1.0 } else { 10.0 };
    let mut scenario = Scenario::new(dispatch, 0.0);
    (scenario.warm_up, scenario.measured, scenario.slice) = (0, SECOND, slice);
    scenario.backlog = (100_000.0 / slice) as usize;
    scenario.worker.max = (100.0 / slice) as usize;
    if matches!(dispatch, Dispatch::Sweep { .. }) {
        scenario.in_flight = 256;
        scenario.poller.places = 256;
    }
    scenario
}

/// 600 objects a second from one moment to the next, by events, into a bucket that takes what every bucket takes at first.
pub(crate) fn cold() -> Scenario {
    let slice = 30.0;
    let mut scenario = Scenario::new(Dispatch::Events, 600.0 / slice);
    (scenario.warm_up, scenario.measured, scenario.slice) = (0, 60 * MINUTE, slice);
    scenario
}

fn micros(seconds: f64) -> Micros {
    (seconds * 1e6) as Micros
}
