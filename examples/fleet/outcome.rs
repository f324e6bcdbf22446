//! What a run found, and whether the model kept its own rules.

use crate::{facts::SECOND, timeline::Micros};

/// What is billed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) class_a: u64,
    pub(crate) class_b: u64,
    pub(crate) publishes: u64,
    pub(crate) task_operations: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) arrived: u64,
    /// While it counted, and of all.
    pub(crate) settled: u64,
    pub(crate) settled_ever: u64,
    /// From upload to settled, of what was uploaded while it counted; in order.
    pub(crate) latencies: Vec<Micros>,
    /// Object-seconds in the system while it counted, and the time that counted.
    pub(crate) area: f64,
    #[cfg_attr(not(test), allow(dead_code, reason = "tests use it"))]
    pub(crate) measured: Micros,
    pub(crate) counts: Counts,
    pub(crate) worker_requests: u64,
    pub(crate) poller_requests: u64,
    /// Seconds of instances that are billed.
    pub(crate) poller_seconds: f64,
    pub(crate) worker_seconds: f64,
    /// Most instances at once.
    pub(crate) pollers: usize,
    pub(crate) workers: usize,
    /// Calls that the bucket refused, and when the last one was.
    pub(crate) refused: u64,
    pub(crate) last_refused: Micros,
    /// Requests that Cloud Run answered with 429.
    pub(crate) refused_requests: u64,
    /// When the last object was settled.
    pub(crate) ended: Micros,
    /// Rules that the model broke.
    pub(crate) broken: Vec<String>,
}

impl Outcome {
    /// Seconds in which this part of the objects was settled.
    pub(crate) fn percentile(&self, part: f64) -> f64 {
        let last = self.latencies.len().saturating_sub(1) as f64;
        let at = (last * part) as usize;
        seconds(self.latencies.get(at).copied().unwrap_or_default())
    }

    #[cfg(test)]
    pub(crate) fn mean(&self) -> f64 {
        seconds(self.latencies.iter().sum()) / self.latencies.len().max(1) as f64
    }

    pub(crate) fn count_settled(&mut self, now: Micros) {
        self.settled += 1;
        self.settled_ever += 1;
        self.ended = now;
    }

    /// Uploaded and not settled.
    pub(crate) fn open(&self) -> u64 {
        self.arrived - self.settled_ever
    }

    /// Objects in the system on average.
    #[cfg(test)]
    pub(crate) fn in_system(&self) -> f64 {
        self.area / seconds(self.measured)
    }
}

pub(crate) fn seconds(time: Micros) -> f64 {
    time as f64 / SECOND as f64
}
