//! What one seed means: everything that is drawn, is drawn from it.

use std::time::Duration;

use fastrand::Rng;

/// One run: its world, and how rough it is.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is drawn by itself")]
pub(crate) struct Schedule {
    pub(crate) seed: u64,
    /// Pollers of the same inbox, each a process of its own.
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
    /// Polls that are dropped half way, in 1,000.
    pub(crate) crashes: u16,
    /// What people do to the bucket meanwhile.
    pub(crate) meddling: usize,
    /// Objects about which the worker says one thing today and another tomorrow, in 1,000.
    pub(crate) moody: u16,
    /// Whether the polls take a lease.
    pub(crate) lease: bool,
    /// How far the pollers' clocks may be off.
    pub(crate) skew: Duration,
}

impl Schedule {
    /// The schedule of a seed.
    pub(crate) fn of(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed ^ 0x5eed);
        let rough = |rng: &mut Rng, most: u16| if rng.bool() { rng.u16(0..=most) } else { 0 };
        // Most runs are small, so that there can be many; every tenth is as large as they get.
        let names = if rng.u8(0..10) == 0 {
            rng.usize(10..=200)
        } else {
            rng.usize(10..=24)
        };
        Self {
            seed,
            pollers: rng.usize(1..=4),
            names,
            page: rng.i32(2..=40),
            concurrency: rng.usize(1..=12),
            polls: rng.usize(1..=4),
            between: Duration::from_secs(rng.u64(1..=180)),
            overlapping: rng.bool(),
            processed_elsewhere: rng.u8(0..4) == 0,
            failed_elsewhere: rng.u8(0..4) == 0,
            faults: rough(&mut rng, 200),
            lost: rough(&mut rng, 250),
            crashes: rough(&mut rng, 600),
            meddling: usize::from(rough(&mut rng, 60)),
            moody: rough(&mut rng, 300),
            lease: rng.bool(),
            skew: Duration::from_secs(rng.u64(0..=30)),
        }
    }

    /// Whether nothing goes wrong in this run.
    pub(crate) fn is_calm(&self) -> bool {
        self.faults == 0
            && self.lost == 0
            && self.crashes == 0
            && self.meddling == 0
            && self.moody == 0
    }

    /// Random numbers for one purpose, the same in every run of this seed.
    pub(crate) fn rng(&self, purpose: &str) -> Rng {
        let mut seed = self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for byte in purpose.bytes() {
            seed = (seed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Rng::with_seed(seed)
    }
}
