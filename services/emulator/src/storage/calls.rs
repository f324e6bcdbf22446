//! How many calls have come over the wire.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use super::operation::{Class, Operation};

/// How many calls of each operation have come over the wire, refused ones included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    counts: BTreeMap<Operation, u64>,
}

/// Counts calls.
#[derive(Debug, Default)]
pub(crate) struct Counters(Mutex<Calls>);

impl Calls {
    /// Calls of one operation.
    pub fn count(&self, operation: Operation) -> u64 {
        self.counts.get(&operation).copied().unwrap_or_default()
    }

    /// Calls that are billed as Class A.
    pub fn class_a(&self) -> u64 {
        self.in_class(Class::A)
    }

    /// Calls that are billed as Class B.
    pub fn class_b(&self) -> u64 {
        self.in_class(Class::B)
    }

    /// All calls.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    fn in_class(&self, class: Class) -> u64 {
        let of_class = self.counts.iter().filter(|(operation, _)| operation.class() == class);
        of_class.map(|(_, count)| count).sum()
    }
}

impl Counters {
    pub(crate) fn count(&self, operation: Operation) {
        *self.lock().counts.entry(operation).or_default() += 1;
    }

    pub(crate) fn snapshot(&self) -> Calls {
        self.lock().clone()
    }

    pub(crate) fn reset(&self) {
        *self.lock() = Calls::default();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Calls> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
