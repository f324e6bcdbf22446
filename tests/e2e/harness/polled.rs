//! What one poll said.

use brigade_proto::v1::{ObjectSettled, PollFinished, Settlement};

/// The events of one poll that tests look at.
#[derive(Debug, Default)]
pub(crate) struct Polled {
    pub(crate) settled: Vec<ObjectSettled>,
    pub(crate) finished: Option<PollFinished>,
}

impl Polled {
    /// Name and settlement, in name order.
    pub(crate) fn outcomes(&self) -> Vec<(String, Settlement)> {
        let name = |settled: &ObjectSettled| settled.object.clone().unwrap().name;
        let mut outcomes: Vec<_> =
            self.settled.iter().map(|settled| (name(settled), settled.settlement())).collect();
        outcomes.sort();
        outcomes
    }
}
