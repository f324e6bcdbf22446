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
    check, operators, outputs,
    planted::{BUGS, Planted},
    report::Report,
    run::Run,
    schedule::Schedule,
    worlds::Cause,
};

/// One run in so many is repeated, to prove that a seed is all there is to a run.
const REPEATED: u64 = 100;

/// Broken seeds that are printed in full; one is enough to begin with.
const PRINTED: usize = 100;

/// One run in so many is repeated with the lease switched the other way.
const COMPARED: u64 = 20;

/// How often each kind of fault must be met, in a run of [`MANY`] seeds or more; none may be missed in a shorter one.
const ENOUGH: u64 = 1_000;
const MANY: u64 = 2_000;

const KINDS: usize = 26;

/// What one seed broke.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) promises: Vec<String>,
    seed: u64,
    run: Run,
}

/// What came of many seeds.
#[derive(Debug, Default)]
pub(crate) struct Total {
    pub(crate) seeds: u64,
    pub(crate) repeated: u64,
    pub(crate) objects: u64,
    pub(crate) polls: u64,
    pub(crate) storage_calls: u64,
    /// Outputs that were written, that are there in the end, that a killed or failed run left, and that are beside another's;
    /// and results that a newer upload took away.
    pub(crate) outputs: [u64; 5],
    /// How often each kind of fault was met.
    pub(crate) faults: [(&'static str, u64); KINDS],
    /// Seeds that were run with the lease and without it, and how often an upload was processed once more than it had to.
    pub(crate) compared: u64,
    pub(crate) twice_with_lease: u64,
    pub(crate) twice_without: u64,
    /// Seeds that broke a promise, printed in full.
    pub(crate) broken: Vec<String>,
    pub(crate) broken_seeds: u64,
}

/// Runs one seed, and says what it broke, with all that is needed to see why.
pub(crate) fn try_seed(seed: u64, planted: Planted) -> Result<Run, Box<Broken>> {
    try_schedule(Schedule::from_seed(seed), planted)
}

fn try_schedule(schedule: Schedule, planted: Planted) -> Result<Run, Box<Broken>> {
    let seed = schedule.seed;
    let run = Run::from_schedule(schedule, planted);
    let promises = check::broken(&run);
    if promises.is_empty() {
        return Ok(run);
    }
    Err(Box::new(Broken { promises, seed, run }))
}

/// A planted bug, and the first seed that finds it.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) name: &'static str,
    pub(crate) by: Option<Box<Broken>>,
}

/// The seed that finds each planted bug, if one of the first `limit` does.
pub(crate) fn planted(limit: u64) -> Vec<Found> {
    BUGS.into_iter()
        .map(|(bug, name)| Found {
            name,
            by: (0..limit).find_map(|seed| try_seed(seed, Planted(Some(bug))).err()),
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
            Err(broken) => return self.report(broken.to_string()),
        };
        if seed.is_multiple_of(REPEATED) {
            self.repeated += 1;
            let again = Run::from_schedule(Schedule::from_seed(seed), Planted::default());
            if again.trace() != run.trace() {
                self.report(format!("seed {seed} went differently when it was repeated"));
            }
        }
        if seed.is_multiple_of(COMPARED) {
            self.compare(&run);
        }
        self.objects += run.uploads();
        self.polls += run.reports.len() as u64;
        self.storage_calls += run.counts.calls;
        let found = outputs::check::find(&run);
        self.add_outputs([found.written, found.visible, found.left, found.beside, found.taken]);
        for (sum, (kind, count)) in self.faults.iter_mut().zip(met(&run)) {
            *sum = (kind, sum.1 + count);
        }
    }

    /// The same seed with the lease switched the other way: nothing is lost, and only duplicate calls may rise.
    fn compare(&mut self, run: &Run) {
        let leased = run.schedule.lease;
        let other = run.schedule.clone().with_lease(!leased);
        let other = match try_schedule(other, Planted::default()) {
            Ok(other) => other,
            Err(broken) => return self.report(broken.to_string()),
        };
        let (with, without) = if leased { (run, &other) } else { (&other, run) };
        self.compared += 1;
        self.twice_with_lease += with.duplicate_calls();
        self.twice_without += without.duplicate_calls();
    }

    fn add_outputs(&mut self, counts: [u64; 5]) {
        for (sum, count) in self.outputs.iter_mut().zip(counts) {
            *sum += count;
        }
    }

    fn report(&mut self, broken: String) {
        self.broken_seeds += 1;
        if self.broken.len() < PRINTED {
            self.broken.push(broken);
        }
    }

    fn join(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.repeated += other.repeated;
        self.objects += other.objects;
        self.polls += other.polls;
        self.storage_calls += other.storage_calls;
        self.add_outputs(other.outputs);
        self.broken_seeds += other.broken_seeds;
        self.compared += other.compared;
        self.twice_with_lease += other.twice_with_lease;
        self.twice_without += other.twice_without;
        for broken in other.broken {
            if self.broken.len() < PRINTED {
                self.broken.push(broken);
            }
        }
        for (sum, (kind, count)) in self.faults.iter_mut().zip(other.faults) {
            *sum = (if kind.is_empty() { sum.0 } else { kind }, sum.1 + count);
        }
    }

    /// Kinds of faults that were met too seldom: nothing was proved about them.
    pub(crate) fn missed(&self) -> Vec<&'static str> {
        let enough = if self.seeds >= MANY { ENOUGH } else { 1 };
        let missed = self.faults.iter().filter(|(_, count)| *count < enough);
        missed.map(|(kind, _)| *kind).collect()
    }
}

/// How often each kind of fault was met in a run.
fn met(run: &Run) -> [(&'static str, u64); KINDS] {
    let (injected, troubles) = (run.injected, run.troubles);
    let polls = |of: fn(&Report) -> bool| run.reports.iter().filter(|r| of(r)).count() as u64;
    [
        ("storage error before it applied", injected.before),
        ("storage applied, answer lost", injected.applied_then_lost),
        ("storage slow", injected.delay),
        ("storage applied, answer late", injected.applied_then_delay),
        ("copy that one call did not end", run.counts.more),
        ("worker out of reach, or its answer lost", troubles.ways),
        ("worker dead", troubles.died),
        ("worker that hangs", troubles.hung),
        ("worker with no place free", troubles.full),
        ("file that ended the worker", troubles.killed),
        ("file that is never answered", troubles.hangs),
        ("file with one answer that looks like wiring", troubles.odd),
        ("worker whose database is away", troubles.outages[Cause::Database as usize]),
        ("worker whose storage fails", troubles.outages[Cause::Storage as usize]),
        ("worker whose deployment is broken", troubles.outages[Cause::Broken as usize]),
        ("answer that is not about the object", troubles.astray),
        ("poller crashed", polls(|report| report.crashed)),
        ("poller stood still", polls(|report| report.stalled)),
        ("lease that expired", run.expired_leases()),
        ("poll cancelled or shut down", polls(|report| report.cancelled || report.shut_down)),
        ("trigger delivered twice", run.duplicates),
        ("event delivered", run.deliveries),
        ("held, kept or annotated", run.meddled()),
        ("uploaded again, or taken away", run.taken_away()),
        ("moved back for another try", run.moved_back()),
        ("failed object that was replayed", operators::count(&run.history)),
    ]
}

impl fmt::Display for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, count) in self.faults {
            writeln!(f, "{count:>10}  {kind}")?;
        }
        writeln!(f, "{:>10}  polls, {} storage calls", self.polls, self.storage_calls)?;
        let [written, visible, left, beside, taken] = self.outputs;
        writeln!(
            f,
            "{written:>10}  outputs written; of {visible} in the end, {beside} beside another's, {left} left by runs that were killed or that storage failed"
        )?;
        writeln!(
            f,
            "{taken:>10}  results that a newer upload replaced, and took away when it failed"
        )?;
        writeln!(
            f,
            "{:>10}  seeds repeated to the letter; every live upload settled within 2 quiet polls, but for what the worker puts off",
            self.repeated
        )?;
        writeln!(
            f,
            "{:>10}  seeds with the lease and without: {} and {} uploads processed once more than needed",
            self.compared, self.twice_with_lease, self.twice_without
        )?;
        let faults: u64 = self.faults.iter().map(|(_, count)| count).sum();
        write!(
            f,
            "{} seeds, {} objects, {faults} faults, {} promises broken",
            self.seeds, self.objects, self.broken_seeds
        )
    }
}

// === impl Broken ===

/// All that is needed to see why; the seed alone breaks it again.
impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { promises, seed, run } = self;
        writeln!(f, "seed {seed} breaks {} promise(s):", promises.len())?;
        for promise in promises {
            writeln!(f, "  {promise}")?;
        }
        writeln!(f, "{:#?}", run.schedule)?;
        writeln!(f, "reports:")?;
        for report in &run.reports {
            writeln!(f, "  {report:?}")?;
        }
        writeln!(f, "history:")?;
        for mutation in &run.history {
            writeln!(f, "  {mutation:?}")?;
        }
        Ok(())
    }
}

// === impl Found ===

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.by {
            Some(broken) => {
                let first = broken.promises.first().map_or("", String::as_str);
                let shown: String = first.chars().take(110).collect();
                write!(f, "{}: found by seed {} ({shown})", self.name, broken.seed)
            }
            None => write!(f, "{}: NOT FOUND", self.name),
        }
    }
}
