//! What a poll has left in the inbox, so that its next passes do not ask about it before its time.

use std::{collections::HashMap, time::Duration};

use brigade_proto::v1::{ObjectSettled, Settlement};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::{mark, scan::Listed};

/// Objects that are remembered. When more are left, there is no further pass.
const MOST: usize = 50_000;

/// How long an object is left alone that has no due time on it: as long as a schedule of each minute would leave it.
const LEAST: Duration = Duration::from_mins(1);
const MOST_TIME: Duration = Duration::from_hours(1);

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
    /// Until when it is left alone where no due time is written on it.
    until: Instant,
}

// === impl Left ===

impl Left {
    /// Remembers an object that stays where it was listed.
    pub(super) fn add(&mut self, settled: &ObjectSettled, time: Timestamp, after: Duration) {
        let is_gone = matches!(
            settled.settlement(),
            Settlement::Processed | Settlement::Failed | Settlement::Planned
        );
        if let Some(object) = settled.object.as_ref().filter(|_| !is_gone && !self.is_full()) {
            let at = Instant::now();
            let until = at + after.clamp(LEAST, MOST_TIME);
            let mark = Mark { generation: object.generation, at, time, until };
            self.0.insert(object.name.clone(), mark);
        }
    }

    /// Whether the object was left a short while ago, and no time is written on it since that is due by now: what is not due yet,
    /// the filter leaves out. A page that was requested before does not have that time.
    pub(super) fn holds(&self, listed: &Listed) -> bool {
        let object = &listed.object;
        let left = self.0.get(&object.name).filter(|left| left.generation == object.generation);
        left.is_some_and(|left| {
            let is_undue = || mark::due(object).is_none_or(|due| due <= left.time);
            left.at >= listed.asked || (Instant::now() < left.until && is_undue())
        })
    }

    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= MOST
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use crate::tests::object;

    #[tokio::test(start_paused = true)]
    async fn an_object_without_a_due_time_is_left_alone_for_a_minute_or_as_long_as_it_asked() {
        for (after, seconds) in [(0, 60), (5, 60), (90, 90), (86_400, 3_600)] {
            let object = object("in/a", 7);
            let mut left = Left::default();
            let settled = ObjectSettled {
                object: Some(crate::wire::object(&object)),
                settlement: Settlement::Retry.into(),
                ..ObjectSettled::default()
            };
            left.add(&settled, Timestamp::UNIX_EPOCH, Duration::from_secs(after));
            advance(Duration::from_millis(seconds * 1_000 - 1)).await;
            let listed = |generation| Listed {
                object: brigade_storage::Object { generation, ..object.clone() },
                asked: Instant::now(),
                page: 1,
            };
            assert!(left.holds(&listed(7)) && !left.holds(&listed(8)));
            advance(Duration::from_millis(1)).await;
            assert!(!left.holds(&listed(7)), "{after}");
        }
    }
}
