//! Many seeds at once, and what came of them all.

use std::{
    fmt,
    ops::Range,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use crate::{
    check,
    planted::{BUGS, Planted},
    run::Run,
    schedule::Schedule,
};

/// One run in so many is repeated, to prove that a seed is all there is to a run.
const REPEATED: u64 = 100;

/// Broken seeds that are told in full; one is enough to begin with.
const TOLD: usize = 3;

/// What came of many seeds.
#[derive(Debug, Default)]
pub(crate) struct Total {
    pub(crate) seeds: u64,
    pub(crate) repeated: u64,
    pub(crate) objects: u64,
    pub(crate) polls: u64,
    pub(crate) storage_calls: u64,
    /// How often each kind of fault was met.
    pub(crate) faults: [(&'static str, u64); 7],
    /// Seeds that broke a promise, told in full.
    pub(crate) broken: Vec<String>,
    pub(crate) broken_seeds: u64,
}

/// Runs one seed, and says what it broke, with all that is needed to see why.
pub(crate) fn try_seed(seed: u64, planted: Planted) -> Result<Run, String> {
    let run = Run::of(Schedule::of(seed), planted);
    let broken = check::broken(&run);
    if broken.is_empty() {
        return Ok(run);
    }
    let lines = |mut text: String, line: String| {
        text.push_str(&line);
        text.push('\n');
        text
    };
    let history = run.history.iter().map(|mutation| format!("  {mutation:?}"));
    let reports = run.reports.iter().map(|report| format!("  {report:?}"));
    Err(format!(
        "seed {seed} breaks {} promise(s):\n{}{:#?}\nreports:\n{}history:\n{}",
        broken.len(),
        broken.into_iter().fold(String::new(), lines),
        run.schedule,
        reports.fold(String::new(), lines),
        history.fold(String::new(), lines),
    ))
}

/// The seed that finds each planted bug, if one of the first `limit` does.
pub(crate) fn planted(limit: u64) -> Vec<(&'static str, Option<u64>)> {
    BUGS.into_iter()
        .map(|(bug, name)| {
            let found = (0..limit).find(|seed| try_seed(*seed, Planted(Some(bug))).is_err());
            (name, found)
        })
        .collect()
}

/// Runs every seed of a range, on every core.
pub(crate) fn run(seeds: Range<u64>) -> Total {
    let next = AtomicU64::new(seeds.start);
    let total = Mutex::new(Total::default());
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                let mut own = Total::default();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        break;
                    }
                    own.add(seed);
                }
                let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
                total.join(own);
            });
        }
    });
    total.into_inner().unwrap_or_else(PoisonError::into_inner)
}

// === impl Total ===

impl Total {
    fn add(&mut self, seed: u64) {
        self.seeds += 1;
        let run = match try_seed(seed, Planted::default()) {
            Ok(run) => run,
            Err(broken) => return self.tell(broken),
        };
        if seed.is_multiple_of(REPEATED) {
            self.repeated += 1;
            let again = Run::of(Schedule::of(seed), Planted::default());
            if again.trace() != run.trace() {
                self.tell(format!("seed {seed} went another way when it was repeated"));
            }
        }
        self.objects += run.uploads();
        self.polls += run.reports.len() as u64;
        self.storage_calls += run.calls;
        let crashes = run.reports.iter().filter(|report| report.crashed).count();
        let injected = run.injected;
        let met = [
            ("storage error before it applied", injected.before),
            ("storage applied, answer lost", injected.applied_then_lost),
            ("storage slow", injected.delay),
            ("storage applied, answer late", injected.applied_then_delay),
            ("worker out of reach, or its answer lost", run.ways),
            ("poller crashed", crashes as u64),
            ("uploaded again, or taken away", run.taken_away()),
        ];
        for (sum, (kind, count)) in self.faults.iter_mut().zip(met) {
            *sum = (kind, sum.1 + count);
        }
    }

    fn tell(&mut self, broken: String) {
        self.broken_seeds += 1;
        if self.broken.len() < TOLD {
            self.broken.push(broken);
        }
    }

    fn join(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.repeated += other.repeated;
        self.objects += other.objects;
        self.polls += other.polls;
        self.storage_calls += other.storage_calls;
        self.broken_seeds += other.broken_seeds;
        for broken in other.broken {
            if self.broken.len() < TOLD {
                self.broken.push(broken);
            }
        }
        for (sum, (kind, count)) in self.faults.iter_mut().zip(other.faults) {
            *sum = (if kind.is_empty() { sum.0 } else { kind }, sum.1 + count);
        }
    }

    /// Kinds of faults that were never met: nothing was proved about them.
    pub(crate) fn missed(&self) -> Vec<&'static str> {
        let missed = self.faults.iter().filter(|(_, count)| *count == 0);
        missed.map(|(kind, _)| *kind).collect()
    }
}

impl fmt::Display for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, count) in self.faults {
            writeln!(f, "{count:>10}  {kind}")?;
        }
        writeln!(
            f,
            "{:>10}  polls, {} storage calls, {} seeds repeated to the letter",
            self.polls, self.storage_calls, self.repeated
        )?;
        let faults: u64 = self.faults.iter().map(|(_, count)| count).sum();
        write!(
            f,
            "{} seeds, {} objects, {faults} faults, {} promises broken",
            self.seeds, self.objects, self.broken_seeds
        )
    }
}
