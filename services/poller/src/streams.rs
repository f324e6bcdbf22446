//! How many listings and replays run at once: each has a page of objects in memory, for as long as its caller reads.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::PollError;

/// Of each kind, at one instance. A page may have 8 MB of metadata.
const MAX: usize = 16;

/// The listings and the replays that run. One kind takes no place of the other.
#[derive(Clone, Debug)]
pub(crate) struct Streams {
    lists: Arc<Semaphore>,
    replays: Arc<Semaphore>,
}

impl Default for Streams {
    fn default() -> Self {
        let places = || Arc::new(Semaphore::new(MAX));
        Self { lists: places(), replays: places() }
    }
}

impl Streams {
    pub(crate) fn list(&self) -> Result<OwnedSemaphorePermit, PollError> {
        place(&self.lists, "list")
    }

    pub(crate) fn replay(&self) -> Result<OwnedSemaphorePermit, PollError> {
        place(&self.replays, "replay")
    }
}

fn place(of: &Arc<Semaphore>, what: &'static str) -> Result<OwnedSemaphorePermit, PollError> {
    of.clone().try_acquire_owned().map_err(|_| PollError::Busy { what, most: MAX })
}
