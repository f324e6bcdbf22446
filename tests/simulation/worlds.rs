//! Workers and files that make trouble of their own: what decides whose fault a failure is has to do with these.

use std::{collections::BTreeMap, time::Duration};

use brigade_client::answer::{Answer, WorkerAnswer};
use brigade_proto::v1::ProcessResponse;
use fastrand::Rng;
use tonic::Code;

use crate::people::named;

/// Whether the poller tells what a file did from what its worker did.
pub(crate) const BLAME: bool = true;

/// How many runs in 100 have each of them.
struct Shares {
    long_lived: u8,
    events: u8,
    capacity: u8,
    poison: u8,
    hanging: u8,
    odd: u8,
    database: u8,
    storage: u8,
    broken: u8,
}

/// Those that the poller keeps its promises in.
const SHARES: Shares = Shares {
    long_lived: 50,
    events: 25,
    capacity: 20,
    poison: 10,
    hanging: 15,
    odd: 10,
    database: 5,
    storage: 5,
    broken: 6,
};

/// What is drawn for one run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Worlds {
    /// A poller's process lives on after a poll, and its polls share what it has in flight.
    pub(crate) is_long_lived: bool,
    /// Uploads are announced to those processes, as events.
    pub(crate) has_events: bool,
    pub(crate) capacity: Option<Capacity>,
    /// Files that are not like others, by name.
    pub(crate) special: BTreeMap<String, Special>,
    /// Times in which the worker answers everything alike.
    pub(crate) outages: Vec<Outage>,
}

/// A worker that takes so many calls at once, and refuses the others at the door.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Capacity {
    pub(crate) places: usize,
    /// When those others are to come again.
    pub(crate) wish: Option<Duration>,
}

/// What a call about such a file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Special {
    /// It ends the worker's process after a time, which is back after another.
    Poison { after: Duration, back: Duration },
    /// It is never answered.
    Hangs,
    /// It is answered by one and the same.
    Odd(Odd),
}

/// An answer that looks like a fault of the wiring, and comes for one file alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Odd {
    Unimplemented,
    PermissionDenied,
    TooLarge,
    Unprocessable,
    DeadlineExceeded,
}

/// A time in which the worker answers everything alike.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outage {
    pub(crate) from: Duration,
    pub(crate) to: Duration,
    pub(crate) cause: Cause,
}

/// Why the worker answers everything alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Its database is away: it asks for time.
    Database,
    /// Storage fails its reads.
    Storage,
    /// Its deployment is broken: it refuses.
    Broken,
}

const ODD: [Odd; 5] = [
    Odd::Unimplemented,
    Odd::PermissionDenied,
    Odd::TooLarge,
    Odd::Unprocessable,
    Odd::DeadlineExceeded,
];

// === impl Worlds ===

impl Worlds {
    pub(crate) fn draw(rng: &mut Rng, names: usize) -> Self {
        let mut is = |share: u8| rng.u8(0..100) < share;
        let (is_long_lived, has_events) = (is(SHARES.long_lived), is(SHARES.events));
        let has_capacity = is(SHARES.capacity);
        let [poison, hanging, odd] = [SHARES.poison, SHARES.hanging, SHARES.odd].map(&mut is);
        let causes = [
            (Cause::Database, is(SHARES.database)),
            (Cause::Storage, is(SHARES.storage)),
            (Cause::Broken, is(SHARES.broken)),
        ];
        let capacity = Capacity {
            places: rng.usize(1..=12),
            wish: rng.bool().then(|| Duration::from_millis(rng.u64(0..3_000))),
        };
        let mut special = BTreeMap::new();
        let mut add = |rng: &mut Rng, is: bool, what: Special| {
            let name = named(rng.usize(0..names));
            if is {
                special.insert(name, what);
            }
        };
        // One holds a call for five of the ten minutes of a poll: two would leave no time for others.
        add(rng, hanging, Special::Hangs);
        let code = Special::Odd(ODD[rng.usize(0..ODD.len())]);
        add(rng, odd, code);
        // The last two to be drawn, so that they stay what they are.
        let two = rng.bool();
        // A worker that is away for longer than a poll waits for it ends each poll before the others have their turn.
        let shorter = if two { 3 } else { 1 };
        for is in [poison, poison && two] {
            let after = Duration::from_millis(rng.u64(0..20_000)) / shorter;
            let back = Duration::from_millis(rng.u64(200..15_000)) / shorter;
            add(rng, is, Special::Poison { after, back });
        }
        let outages = causes.into_iter().filter(|(_, is)| *is).map(|(cause, _)| {
            let from = Duration::from_secs(rng.u64(0..300));
            Outage { from, to: from + Duration::from_secs(rng.u64(60..1_200)), cause }
        });
        let outages = outages.collect();
        Self {
            is_long_lived: is_long_lived || has_events,
            has_events,
            capacity: (has_capacity && (BLAME || !hanging)).then_some(capacity),
            special,
            outages,
        }
    }

    /// Whether a file may end the worker's process.
    pub(crate) fn is_deadly(&self) -> bool {
        self.special.values().any(|special| matches!(special, Special::Poison { .. }))
    }

    /// Whether that file ends the worker's process.
    pub(crate) fn is_poison(&self, name: &str) -> bool {
        matches!(self.special.get(name), Some(Special::Poison { .. }))
    }

    /// Whether the worker's deployment is broken for a while.
    pub(crate) fn is_broken(&self) -> bool {
        self.outages.iter().any(|outage| outage.cause == Cause::Broken)
    }

    /// Whether nothing of this concerns the worker.
    pub(crate) fn is_calm(&self) -> bool {
        self.capacity.is_none() && self.special.is_empty() && self.outages.is_empty()
    }
}

// === impl Odd ===

impl Odd {
    pub(crate) fn answer(self, name: &str) -> Answer {
        match self {
            Self::Unimplemented => Answer::status(Code::Unimplemented, "not for this"),
            Self::PermissionDenied => Answer::status(Code::PermissionDenied, "not this one"),
            Self::DeadlineExceeded => Answer::status(Code::DeadlineExceeded, "too slow"),
            Self::TooLarge => {
                Answer::TooLarge { key: name.to_owned(), found: "too many bytes".into() }
            }
            Self::Unprocessable => Answer::Worker(Box::new(WorkerAnswer {
                code: Code::InvalidArgument,
                message: "no".into(),
                retry_after: None,
                response: ProcessResponse::default(),
                http_status: Some(422),
                is_storage: false,
                kind: String::new(),
                exit: String::new(),
            })),
        }
    }
}
