//! What can go wrong between a caller and the simulated service.

use std::{collections::VecDeque, fmt, time::Duration};

use brigade_storage::error::{Kind, Operation};

/// What goes wrong with one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails like this and is not applied.
    Before(Kind),
    /// It is applied, and the answer is lost: the caller sees [`Kind::Unknown`], whatever the answer was.
    AppliedThenLost,
    /// It takes this long, then continues as usual.
    Delay(Duration),
    /// It is applied, and the answer takes this long: a caller that is stopped meanwhile never hears of it.
    AppliedThenDelay(Duration),
    /// A read ends with an error after this many bytes. On any other call the same as [`Fault::AppliedThenLost`].
    Cut(u64),
}

/// A call that is about to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The operation.
    pub operation: Operation,
    /// Which call of this operation it is, from 1.
    pub number: u64,
    /// The bucket's name.
    pub bucket: String,
    /// The object's name; empty for a listing.
    pub name: String,
}

/// Decides for each call what goes wrong with it. A closure is one.
pub trait FaultPlan: Send {
    /// The fault of this call, if any.
    fn decide(&mut self, call: &Call) -> Option<Fault>;
}

impl<F> FaultPlan for F
where
    F: FnMut(&Call) -> Option<Fault> + Send,
{
    fn decide(&mut self, call: &Call) -> Option<Fault> {
        self(call)
    }
}

/// How many faults of each kind were injected: a run that met none has proved nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Injected {
    /// [`Fault::Before`].
    pub before: u64,
    /// [`Fault::AppliedThenLost`].
    pub applied_then_lost: u64,
    /// [`Fault::Delay`].
    pub delay: u64,
    /// [`Fault::AppliedThenDelay`].
    pub applied_then_delay: u64,
    /// [`Fault::Cut`].
    pub cut: u64,
}

/// Faults drawn from a seed: the same seed and the same calls give the same faults.
#[derive(Clone, Debug)]
pub struct SeededFaults {
    random: fastrand::Rng,
    per_mille: u16,
    longest_delay: Duration,
}

impl SeededFaults {
    /// Faults in about `per_mille` of 1,000 calls, all kinds alike but for a missing permission and an object that cannot be
    /// moved, which are rare, with delays shorter than `longest_delay`.
    pub fn new(seed: u64, per_mille: u16, longest_delay: Duration) -> Self {
        Self { random: fastrand::Rng::with_seed(seed), per_mille, longest_delay }
    }

    fn delay(&mut self) -> Duration {
        self.longest_delay.mul_f64(self.random.f64())
    }
}

impl FaultPlan for SeededFaults {
    fn decide(&mut self, call: &Call) -> Option<Fault> {
        if self.random.u16(0..1_000) >= self.per_mille {
            return None;
        }
        Some(match self.random.u8(0..6) {
            0 => Fault::Before(match (self.random.u8(0..8), call.operation) {
                (0, _) => Kind::PermissionDenied,
                (1, Operation::Move | Operation::Rewrite | Operation::Delete) => Kind::Invalid,
                _ => Kind::Unknown,
            }),
            1 => {
                Fault::Before(Kind::Busy { retry_after: self.random.bool().then(|| self.delay()) })
            }
            2 => Fault::Delay(self.delay()),
            3 => Fault::AppliedThenDelay(self.delay()),
            4 if call.operation == Operation::Read => Fault::Cut(self.random.u64(0..64)),
            _ => Fault::AppliedThenLost,
        })
    }
}

/// The faults to come and the calls that were made.
#[derive(Default)]
pub(super) struct Faults {
    pub(super) plan: Option<Box<dyn FaultPlan>>,
    pub(super) injected: Injected,
    queued: [VecDeque<Fault>; OPERATIONS],
    numbered: Vec<(Operation, u64, Fault)>,
    calls: [u64; OPERATIONS],
}

const OPERATIONS: usize = 8;

// === impl Faults ===

impl Faults {
    pub(super) fn next(&mut self, operation: Operation, fault: Fault) {
        self.queued[index(operation)].push_back(fault);
    }

    pub(super) fn nth(&mut self, operation: Operation, number: u64, fault: Fault) {
        self.numbered.push((operation, number, fault));
    }

    pub(super) fn clear(&mut self) {
        self.plan = None;
        self.numbered.clear();
        self.queued = Default::default();
    }

    pub(super) fn calls(&self, operation: Operation) -> u64 {
        self.calls[index(operation)]
    }

    /// Counts a call and returns its fault: what was named for its number, for the next call, or by plan.
    pub(super) fn begin(
        &mut self,
        operation: Operation,
        bucket: &str,
        name: &str,
    ) -> Option<Fault> {
        self.calls[index(operation)] += 1;
        let number = self.calls(operation);
        let fault = self
            .take_numbered(operation, number)
            .or_else(|| self.queued[index(operation)].pop_front())
            .or_else(|| {
                self.plan.as_mut()?.decide(&Call {
                    operation,
                    number,
                    bucket: bucket.to_owned(),
                    name: name.to_owned(),
                })
            });
        if let Some(fault) = &fault {
            self.injected.count(fault);
        }
        fault
    }

    fn take_numbered(&mut self, operation: Operation, number: u64) -> Option<Fault> {
        let at =
            self.numbered.iter().position(|(of, nth, _)| (*of, *nth) == (operation, number))?;
        Some(self.numbered.swap_remove(at).2)
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults").field("injected", &self.injected).finish_non_exhaustive()
    }
}

impl Injected {
    fn count(&mut self, fault: &Fault) {
        *match fault {
            Fault::Before(_) => &mut self.before,
            Fault::AppliedThenLost => &mut self.applied_then_lost,
            Fault::Delay(_) => &mut self.delay,
            Fault::AppliedThenDelay(_) => &mut self.applied_then_delay,
            Fault::Cut(_) => &mut self.cut,
        } += 1;
    }
}

fn index(operation: Operation) -> usize {
    match operation {
        Operation::List => 0,
        Operation::Get => 1,
        Operation::Create => 2,
        Operation::Update => 3,
        Operation::Move => 4,
        Operation::Rewrite => 5,
        Operation::Delete => 6,
        Operation::Read => 7,
    }
}
