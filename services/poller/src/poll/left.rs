//! What a poll has left in the inbox, so that its next passes do not ask about it before its time.

use std::collections::HashMap;

use brigade_proto::v1::{ObjectSettled, Settlement};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::{mark, scan::Listed};

/// Objects that are remembered. When more are left, there is no further pass.
const MOST: usize = 50_000;

/// Objects by name.
#[derive(Debug, Default)]
pub(super) struct Left(HashMap<String, Mark>);

/// How an object was left.
#[derive(Debug)]
struct Mark {
    generation: i64,
    at: Instant,
    /// The same by the clock of due times.
    time: Timestamp,
}

// === impl Left ===

impl Left {
    /// Remembers an object that stays where it was listed.
    pub(super) fn add(&mut self, settled: &ObjectSettled, time: Timestamp) {
        let is_gone = matches!(
            settled.settlement(),
            Settlement::Processed | Settlement::Failed | Settlement::Planned
        );
        if let Some(object) = settled.object.as_ref().filter(|_| !is_gone && !self.is_full()) {
            let mark = Mark { generation: object.generation, at: Instant::now(), time };
            self.0.insert(object.name.clone(), mark);
        }
    }

    /// Whether the object was left, and no time is written on it since that is due by now: what is not due yet, the filter leaves
    /// out. A page that was requested before does not have that time.
    pub(super) fn holds(&self, listed: &Listed) -> bool {
        let object = &listed.object;
        let left = self.0.get(&object.name).filter(|left| left.generation == object.generation);
        left.is_some_and(|left| {
            left.at >= listed.asked || mark::due(object).is_none_or(|due| due <= left.time)
        })
    }

    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= MOST
    }
}
