//! Faults on request, for a command that runs an emulator.

use std::io::{self, Write as _};

use brigade_emulator::{
    Emulator,
    storage::{HitCount, RandomFault},
};

/// Which calls to the emulator fail.
#[derive(Clone, Debug, clap::Args)]
pub struct FaultArgs {
    /// Let calls to the emulator fail by chance, such as read=503:5%,move=lost:once. OPERATION is list, get, read, write, update,
    /// move, rewrite, delete or token; KIND is an HTTP status, lost (applied, and no answer), reset (not applied, and no answer),
    /// cut (the answer breaks off) or slow=TIME; RATE is a percentage or once
    #[arg(long = "fault", value_name = "OPERATION=KIND:RATE,...", value_delimiter = ',')]
    faults: Vec<RandomFault>,
    /// With --fault: the seed of its chances; one seed lets the same calls of an operation fail [default: a random one, which is
    /// printed]
    #[arg(long, value_name = "NUMBER", requires = "faults")]
    seed: Option<u64>,
}

/// Faults that are injected, and how many calls have met each.
#[derive(Debug)]
pub(crate) struct Injected(Vec<(RandomFault, HitCount)>);

// === impl FaultArgs ===

impl FaultArgs {
    /// Injects them, and prints the seed on stderr when there are any.
    pub(crate) fn inject(&self, emulator: &Emulator) -> Injected {
        let seed = self.seed.unwrap_or_else(fresh);
        if !self.faults.is_empty() {
            let given = self.faults.iter().map(ToString::to_string).collect::<Vec<_>>();
            print(&format!("faults: {} --seed {seed}", given.join(",")));
        }
        let injected = self
            .faults
            .iter()
            .map(|fault| (fault.clone(), emulator.storage().fault_by_chance(fault.clone(), seed)));
        Injected(injected.collect())
    }
}

/// A number that nothing chose.
fn fresh() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    // Short enough to be typed again.
    RandomState::new().hash_one(0) % 1_000_000
}

// === impl Injected ===

impl Injected {
    /// Prints on stderr how many calls have met each.
    pub(crate) fn report(&self) {
        if !self.0.is_empty() {
            let met = self.0.iter().map(|(fault, met)| format!("{fault} {}", met.count()));
            print(&format!("calls that met a fault: {}", met.collect::<Vec<_>>().join(", ")));
        }
    }
}

fn print(line: &str) {
    // When stderr is closed there is no place to report it.
    let _ = writeln!(io::stderr(), "{line}");
}
