//! What one seed means: everything that is drawn, is drawn from it.

use std::time::Duration;

use fastrand::Rng;

use crate::{outputs::Outputs, worlds::Worlds};

/// One run: its world, and how rough it is.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is drawn by itself")]
pub(crate) struct Schedule {
    pub(crate) seed: u64,
    /// Pollers of the same inbox, each a process of its own; or each poll is.
    pub(crate) pollers: usize,
    /// Names that people upload to: once before the first poll, and again as it comes.
    pub(crate) names: usize,
    /// Objects of one page of a listing.
    pub(crate) page: i32,
    /// Objects in flight at once, in each poll.
    pub(crate) concurrency: usize,
    /// Polls that each poller starts while things go wrong.
    pub(crate) polls: usize,
    /// Pause between two polls of one poller, at most.
    pub(crate) between: Duration,
    /// Whether a poller starts its next poll although one is still running.
    pub(crate) overlapping: bool,
    /// Where objects go: another bucket, or the inbox's own.
    pub(crate) processed_elsewhere: bool,
    pub(crate) failed_elsewhere: bool,
    /// Storage calls that meet a fault, in 1,000.
    pub(crate) faults: u16,
    /// Calls of the worker that fail on their way, or are lost on the way back, in 1,000.
    pub(crate) lost: u16,
    /// Answers that are about anything but the object: too busy, wrong wiring, a front end's page, in 1,000.
    pub(crate) astray: u16,
    /// How often the worker's process dies, and comes back after a while.
    pub(crate) outages: usize,
    /// Polls that are dropped half way, in 1,000.
    pub(crate) crashes: u16,
    /// Polls whose process stands still for longer than a lease lasts, in 1,000.
    pub(crate) stalls: u16,
    /// Polls that their caller cancels, or their service ends, in 1,000.
    pub(crate) ends: u16,
    /// Triggers that are delivered twice, in 1,000.
    pub(crate) duplicates: u16,
    /// Triggers with a deadline or a limit of their own, in 1,000.
    pub(crate) hurried: u16,
    /// What people do to the bucket meanwhile.
    pub(crate) meddling: usize,
    /// How often an operator replays what failed.
    pub(crate) replays: usize,
    /// Objects about which the worker says one thing today and another tomorrow, in 1,000.
    pub(crate) moody: u16,
    /// Whether the buckets keep noncurrent versions.
    pub(crate) versioned: bool,
    /// What one call of a copy carries, in bytes; all of it when there is no limit.
    pub(crate) rewrite_step: Option<u64>,
    /// Whether the polls take a lease.
    pub(crate) lease: bool,
    /// Whether a poll that died before the run has left its lease behind.
    pub(crate) orphaned: bool,
    /// How far the pollers' clocks may be off.
    pub(crate) skew: Duration,
    /// Whether polls list again while files are at work.
    pub(crate) relist: bool,
    /// Whether some polls ask for a part of the inbox.
    pub(crate) prefixes: bool,
    /// What makes trouble of its own.
    pub(crate) worlds: Worlds,
    /// What the workers write, in runs where they do.
    pub(crate) outputs: Option<Outputs>,
}

impl Schedule {
    /// The schedule of a seed.
    pub(crate) fn from_seed(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed ^ 0x5eed);
        // In some runs nothing goes wrong but time: there the poller is held to more.
        let quiet = rng.u8(0..8) == 0;
        let rough = |rng: &mut Rng, most: u16| {
            if rng.bool() && !quiet { rng.u16(0..=most) } else { 0 }
        };
        // Most runs are small, so that there can be many; every tenth is as large as they get.
        let names = if rng.u8(0..10) == 0 { rng.usize(10..=200) } else { rng.usize(10..=24) };
        let schedule = Self {
            seed,
            pollers: rng.usize(1..=4),
            names,
            page: rng.i32(2..=40),
            concurrency: rng.usize(1..=12),
            polls: rng.usize(1..=5),
            between: Duration::from_secs(rng.u64(1..=180)),
            overlapping: rng.bool(),
            processed_elsewhere: rng.u8(0..4) == 0,
            failed_elsewhere: rng.u8(0..4) == 0,
            faults: rough(&mut rng, 250),
            lost: rough(&mut rng, 250),
            astray: rough(&mut rng, 150),
            outages: usize::from(rough(&mut rng, 3)),
            crashes: rough(&mut rng, 900),
            stalls: if rng.bool() { rng.u16(0..=900) } else { 0 },
            ends: rough(&mut rng, 900),
            duplicates: if rng.bool() { rng.u16(0..=900) } else { 0 },
            hurried: rough(&mut rng, 600),
            meddling: usize::from(rough(&mut rng, 60)),
            replays: if quiet {
                0
            } else {
                rng_for(seed, "replays").usize(0..12).saturating_sub(3)
            },
            moody: rough(&mut rng, 300),
            versioned: rng.u8(0..4) == 0,
            rewrite_step: rng.bool().then(|| rng.u64(4..=16)),
            lease: rng.u8(0..4) > 0,
            orphaned: rng.bool(),
            skew: Duration::from_secs(rng.u64(0..=30)),
            worlds: if quiet { Worlds::default() } else { Worlds::draw(&mut rng, names) },
            relist: rng_for(seed, "relist").bool(),
            prefixes: rng_for(seed, "prefixes").u8(0..4) == 0,
            outputs: Outputs::draw(rng_for(seed, "outputs")),
        };
        let schedule = if schedule.worlds.is_broken() { schedule.large() } else { schedule };
        if rng.u8(0..10) == 0 && !quiet { schedule.contested() } else { schedule }
    }

    /// The same with more files than a brake lets fail.
    fn large(self) -> Self {
        Self { names: self.names + 150, page: self.page + 20, ..self }
    }

    /// The same, but for several polls at once that all hear something else of nearly every object.
    fn contested(self) -> Self {
        Self {
            pollers: self.pollers.max(2),
            between: self.between.min(Duration::from_secs(10)),
            moody: 900,
            lease: false,
            ..self
        }
    }

    /// The same world with the lease switched on or off.
    pub(crate) fn with_lease(self, lease: bool) -> Self {
        Self { lease, ..self }
    }

    /// The same names and calls, but nothing goes wrong: files come while one poller is at work, whose polls list again.
    pub(crate) fn with_arrivals(self) -> Self {
        Self {
            pollers: 1,
            page: 1_000,
            concurrency: 12,
            polls: 3,
            between: Duration::from_secs(20),
            overlapping: false,
            faults: 0,
            lost: 0,
            astray: 0,
            outages: 0,
            crashes: 0,
            stalls: 0,
            ends: 0,
            duplicates: 0,
            hurried: 0,
            meddling: 200,
            replays: 0,
            moody: 0,
            skew: Duration::ZERO,
            orphaned: false,
            worlds: Worlds::default(),
            relist: true,
            prefixes: false,
            ..self
        }
    }

    /// Whether nothing goes wrong in this run, but for processes that stand still.
    pub(crate) fn is_calm(&self) -> bool {
        let rough = [
            self.faults,
            self.lost,
            self.astray,
            self.crashes,
            self.ends,
            self.hurried,
            self.moody,
        ];
        let worlds = self.worlds.is_calm() && !self.worlds.has_events;
        rough == [0; 7] && self.outages == 0 && self.meddling + self.replays == 0 && worlds
    }

    /// Whether no two polls run at the same time.
    pub(crate) fn is_one_by_one(&self) -> bool {
        let polls_alone = !self.overlapping && self.duplicates == 0 && !self.worlds.has_events;
        self.pollers == 1 && polls_alone
    }

    /// Random numbers for one purpose, the same in every run of this seed.
    pub(crate) fn rng(&self, purpose: &str) -> Rng {
        rng_for(self.seed, purpose)
    }
}

fn rng_for(seed: u64, purpose: &str) -> Rng {
    let mut seed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for byte in purpose.bytes() {
        seed = (seed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    Rng::with_seed(seed)
}
