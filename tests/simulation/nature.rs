//! What the worker makes of one generation, whatever happens around it.

use fastrand::Rng;
use tonic::Code;

use crate::weather::{LATER, REFUSALS};

/// What a worker does with one generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nature {
    Accepts,
    Refuses(Code),
    /// Asks for time this often, then accepts.
    Later(Code, u32),
    /// Asks for time until its attempts are used up.
    Never(Code),
    /// Says what comes to its mind.
    Moody,
}

// === impl Nature ===

impl Nature {
    /// A generation has one nature, for every caller. `moody`: of 1,000 generations, how many are heard differently each time.
    pub(crate) fn draw(seed: u64, moody: u16, name: &str, generation: i64) -> Self {
        let mut seed = seed ^ generation.unsigned_abs();
        for byte in name.bytes() {
            seed = (seed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        let mut rng = Rng::with_seed(seed);
        if rng.u16(0..1_000) < moody {
            return Self::Moody;
        }
        match rng.u8(0..20) {
            0..4 => Self::Refuses(REFUSALS[rng.usize(0..REFUSALS.len())]),
            4..6 => Self::Later(LATER[rng.usize(0..LATER.len())], rng.u32(1..3)),
            6 => Self::Never(LATER[rng.usize(0..LATER.len())]),
            _ => Self::Accepts,
        }
    }
}
