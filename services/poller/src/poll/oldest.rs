//! The oldest objects of a pass, in bounded memory.

use std::{cmp::Ordering, collections::BinaryHeap};

use jiff::Timestamp;

use crate::scan::Listed;

/// Objects that are kept. The others wait for the next pass.
const MOST: usize = 10_000;

/// Collects the objects of a pass, then gives them back, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Oldest {
    kept: BinaryHeap<ByAge>,
    sorted: Vec<Listed>,
    /// The pass had more.
    pub(super) is_over_full: bool,
}

/// The youngest is the greatest; of the same age the last by name.
#[derive(Debug)]
struct ByAge(Listed);

// === impl Oldest ===

impl Oldest {
    pub(super) fn push(&mut self, listed: Listed) {
        self.kept.push(ByAge(listed));
        if self.kept.len() > MOST {
            self.kept.pop();
            self.is_over_full = true;
        }
    }

    /// The oldest of those that are left.
    pub(super) fn next(&mut self) -> Option<Listed> {
        if self.sorted.is_empty() {
            let sorted = std::mem::take(&mut self.kept).into_sorted_vec();
            self.sorted = sorted.into_iter().rev().map(|ByAge(listed)| listed).collect();
        }
        self.sorted.pop()
    }
}

// === impl ByAge ===

impl ByAge {
    fn key(&self) -> (Timestamp, &str) {
        (self.0.object.created, &self.0.object.name)
    }
}

impl Ord for ByAge {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for ByAge {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ByAge {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for ByAge {}
