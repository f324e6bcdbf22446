//! What is modelled: one inbox, its traffic, its two services, and how objects come to the poller.

use crate::{
    facts::{MILLI, MINUTE, READS, SECOND, WRITES},
    timeline::Micros,
};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Dispatch {
    /// A poll so often; it lists again after so long a pause when there is one.
    Sweep { every: Micros, relist: Option<Micros> },
    /// Pub/Sub pushes.
    Events,
    /// A sweep that fills a queue.
    Tasks { every: Micros },
}

/// A mistake in the model, which its checks must find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// The bucket takes every write.
    NoWriteLimit,
    /// An instance takes a request more than its places.
    Overfull,
    /// An object in a hundred is forgotten after its answer.
    Forgotten,
    /// An object in a hundred is settled twice.
    Twice,
    /// The push window is ignored.
    NoWindow,
}

/// A service on Cloud Run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// Requests of an instance at once.
    pub(crate) places: usize,
    /// From the request that needs it until it is ready.
    pub(crate) start: Micros,
    pub(crate) max: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) seed: u64,
    pub(crate) dispatch: Dispatch,
    /// Objects a second, at random.
    pub(crate) rate: f64,
    /// Objects that are there at the beginning.
    pub(crate) backlog: usize,
    /// Time before anything counts, and the time that counts. Then no more objects come, and what is there is settled.
    pub(crate) warm_up: Micros,
    pub(crate) measured: Micros,
    /// What the bucket takes a second at the beginning.
    pub(crate) writes: f64,
    pub(crate) reads: f64,
    /// The worker's time for an object: between these.
    pub(crate) work: (Micros, Micros),
    /// Objects that the worker refuses, of all.
    pub(crate) refused: f64,
    /// Whether the worker writes an output for each object into the same bucket.
    pub(crate) has_output: bool,
    pub(crate) poller: Size,
    pub(crate) worker: Size,
    /// `BRIGADE_CONCURRENCY`.
    pub(crate) in_flight: usize,
    /// One call of storage, a list of a page, what a call of the worker takes beside its work, the way of an event, the creation of a task.
    pub(crate) storage: Micros,
    pub(crate) list: Micros,
    pub(crate) call: Micros,
    pub(crate) notice: Micros,
    pub(crate) create: Micros,
    /// Into how many equal parts the inbox is divided, of which one is modelled: its limits are divided too.
    pub(crate) slice: f64,
    pub(crate) planted: Option<Mistake>,
}

impl Scenario {
    /// What docs/SCALE.md assumes: a worker of 2 s on average, 8 objects on its instance, 32 on the poller's.
    pub(crate) fn new(dispatch: Dispatch, rate: f64) -> Self {
        Self {
            seed: 1,
            dispatch,
            rate,
            backlog: 0,
            warm_up: 3 * MINUTE,
            measured: 5 * MINUTE,
            writes: WRITES,
            reads: READS,
            work: (SECOND, 3 * SECOND),
            refused: 0.01,
            has_output: true,
            poller: Size { places: 32, start: 2 * SECOND, max: 1_000 },
            worker: Size { places: 8, start: 5 * SECOND, max: 10_000 },
            in_flight: 32,
            storage: 50 * MILLI,
            list: 200 * MILLI,
            call: 10 * MILLI,
            notice: 200 * MILLI,
            create: 50 * MILLI,
            slice: 1.0,
            planted: None,
        }
    }
}
