//! Faults by chance, as a command line names them: `read=503:5%`.

use std::{
    fmt,
    str::FromStr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use fastrand::Rng;

use super::{
    fault::{Effect, HitCount, injected},
    operation::Operation,
};
use brigade_model::Kind;

/// What some calls of an operation meet: `OPERATION=KIND:RATE`.
#[derive(Clone, Debug)]
pub struct RandomFault {
    given: String,
    operations: &'static [Operation],
    effect: Effect,
    rate: Rate,
}

#[derive(Clone, Copy, Debug)]
enum Rate {
    /// So many of a call, from 0 to 1.
    Share(f64),
    Once,
}

/// The names of operations, and what each means.
const OPERATIONS: [(&str, &[Operation]); 9] = [
    ("list", &[Operation::List]),
    ("get", &[Operation::Get]),
    ("read", &[Operation::Read]),
    ("write", &[Operation::Insert, Operation::Chunk]),
    ("update", &[Operation::Update]),
    ("move", &[Operation::Move]),
    ("rewrite", &[Operation::Rewrite]),
    ("delete", &[Operation::Delete]),
    ("token", &[Operation::Token]),
];

/// The statuses that a service may return on a bad day, whatever the call.
const STATUSES: [(&str, Kind); 8] = [
    ("401", Kind::Unauthenticated),
    ("403", Kind::PermissionDenied),
    ("408", Kind::RequestTimeout),
    ("429", Kind::TooManyRequests),
    ("500", Kind::Internal),
    ("502", Kind::BadGateway),
    ("503", Kind::Unavailable),
    ("504", Kind::DeadlineExceeded),
];

const EXAMPLE: &str = "write OPERATION=KIND:RATE, such as read=503:5% or move=lost:once";

/// Faults that are met by chance.
#[derive(Debug, Default)]
pub(super) struct RandomFaults(Mutex<Vec<Dice>>);

/// One fault and its own sequence of random numbers, so that the calls of other operations do not change it.
#[derive(Debug)]
struct Dice {
    fault: RandomFault,
    rng: Rng,
    met: HitCount,
}

// === impl RandomFault ===

impl FromStr for RandomFault {
    type Err = String;

    fn from_str(given: &str) -> Result<Self, String> {
        let rest = given.split_once('=').and_then(|(operation, rest)| {
            rest.rsplit_once(':').map(|(kind, rate)| (operation, kind, rate))
        });
        let Some((operation, kind, rate)) = rest else {
            return Err(format!("{given:?} is not a fault; fix: {EXAMPLE}"));
        };
        let operations = OPERATIONS.iter().find(|(name, _)| *name == operation);
        let Some((_, operations)) = operations else {
            let known = OPERATIONS.map(|(name, _)| name).join(", ");
            return Err(format!("there is no operation {operation:?}; expected {known}"));
        };
        Ok(Self {
            given: given.to_owned(),
            operations,
            effect: effect(kind)?,
            rate: rate_of(rate)?,
        })
    }
}

impl fmt::Display for RandomFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.given)
    }
}

fn effect(kind: &str) -> Result<Effect, String> {
    if let Some((_, status)) = STATUSES.iter().find(|(code, _)| *code == kind) {
        return Ok(Effect::Before(injected(*status)));
    }
    match (kind, kind.strip_prefix("slow=")) {
        ("lost", _) => Ok(Effect::Reset { applied: true }),
        ("reset", _) => Ok(Effect::Reset { applied: false }),
        ("cut", _) => Ok(Effect::Cut),
        (_, Some(time)) => duration(time).map(Effect::Delay),
        _ => {
            let statuses = STATUSES.map(|(code, _)| code).join(", ");
            Err(format!(
                "there is no fault {kind:?}; expected lost, reset, cut, slow=TIME or a status of {statuses}"
            ))
        }
    }
}

fn duration(given: &str) -> Result<Duration, String> {
    let (number, second) = match given.strip_suffix("ms") {
        Some(number) => (number, 1_000.0),
        None => (given.strip_suffix('s').unwrap_or_default(), 1.0),
    };
    let seconds = number.parse::<f64>().ok().map(|number| number / second);
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|time| *time <= Duration::from_hours(1))
        .ok_or_else(|| {
            format!("{given:?} is not a time; expected up to 3600s, such as 500ms or 2s")
        })
}

fn rate_of(given: &str) -> Result<Rate, String> {
    if given == "once" {
        return Ok(Rate::Once);
    }
    let percent = given.strip_suffix('%').and_then(|number| number.parse::<f64>().ok());
    percent
        .filter(|percent| (0.0..=100.0).contains(percent))
        .map(|percent| Rate::Share(percent / 100.0))
        .ok_or_else(|| format!("{given:?} is not a rate; expected 0% to 100%, or once"))
}

// === impl RandomFaults ===

impl RandomFaults {
    pub(super) fn add(&self, fault: RandomFault, seed: u64) -> HitCount {
        let met = HitCount::default();
        self.lock().push(Dice { fault, rng: Rng::with_seed(seed), met: met.clone() });
        met
    }

    /// What this call meets: the first of the faults whose chance it is.
    pub(super) fn meet(&self, operation: Operation) -> Option<Effect> {
        let mut dice = self.lock();
        let mut own = dice.iter_mut().filter(|dice| dice.fault.operations.contains(&operation));
        own.find_map(|dice| dice.roll().then(|| dice.fault.effect.clone()))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Dice>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Dice {
    fn roll(&mut self) -> bool {
        let is_met = match self.fault.rate {
            Rate::Share(share) => self.rng.f64() < share,
            Rate::Once => self.met.count() == 0,
        };
        if is_met {
            self.met.add();
        }
        is_met
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn what_is_no_fault_says_what_one_is() {
        let mut table = String::new();
        for given in [
            "read=503:5%",
            "move=lost:0.5%",
            "write=slow=250ms:once",
            "token=reset:100%",
            "delete=cut:1%",
            "",
            "read",
            "read=503",
            "upload=503:5%",
            "read=404:5%",
            "read=gone:5%",
            "read=slow=soon:5%",
            "read=slow=-1s:5%",
            "read=slow=2h:5%",
            "read=503:5",
            "read=503:101%",
            "read=503:-1%",
            "read=503:NaN%",
            "read=503:twice",
        ] {
            let outcome = given.parse::<RandomFault>();
            let outcome = outcome.map_or_else(|error| error, |fault| format!("{:?}", fault.effect));
            writeln!(table, "{given:<24} {outcome}").unwrap();
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn one_seed_is_one_sequence_and_about_as_many_as_the_rate_says() {
        let met = |seed| {
            let faults = RandomFaults::default();
            let count = faults.add("read=503:5%".parse().unwrap(), seed);
            let met: Vec<bool> =
                (0..10_000).map(|_| faults.meet(Operation::Read).is_some()).collect();
            assert!(faults.meet(Operation::Get).is_none());
            assert!((400..600).contains(&count.count()), "{count:?}");
            met
        };
        assert_eq!(met(7), met(7));
        assert_ne!(met(7), met(8));
    }

    #[test]
    fn once_is_one_call_and_the_first_fault_that_is_met_is_the_only_one() {
        let faults = RandomFaults::default();
        let first = faults.add("write=lost:once".parse().unwrap(), 0);
        let second = faults.add("write=503:once".parse().unwrap(), 0);
        assert!(matches!(faults.meet(Operation::Chunk), Some(Effect::Reset { applied: true })));
        assert!(matches!(faults.meet(Operation::Insert), Some(Effect::Before(_))));
        assert!(faults.meet(Operation::Insert).is_none());
        assert_eq!((first.count(), second.count()), (1, 1));
    }
}
