//! Which failures of storage are met by a retry, over real sockets: the scenarios that Google holds its own clients
//! to (googleapis/conformance-tests, `storage/v1/retry_tests.json`), for every call that the poller makes.
//!
//! 1. what changes nothing (list, get) is repeated after 503 and broken connections;
//! 2. so is what names a generation (create, update, move, rewrite, delete);
//! 3. and 4. nothing is repeated that names none: the port has no such call, and the tests of its requests hold that;
//! 5. 400 and 401 are never repeated;
//! 6. a mixture ends at its first error of the latter kind.
//!
//! Beside these: the call that was applied and whose answer was lost, which no client can know from the outside. Each test
//! proves that every fault was met, and that a poll without faults brings everything to its one place afterwards.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use brigade_client::answer::Answer;
use brigade_emulator::{
    Emulator,
    storage::{Fault, HitCount, Kind, Operation},
};
use brigade_poller::{
    clock::{Clock, SystemClock},
    config::Config,
    dispatch::Worker,
    poller::Poller,
};
use brigade_proto::v1::{ProcessRequest, ProcessResponse, Settlement};
use brigade_storage::Location;
use jiff::{SignedDuration, Timestamp};
use tonic::Code;

use crate::harness::{connect, loopback, settled};

/// What one call of an operation meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// This status, and it was not applied.
    Refused(Kind),
    /// The connection broke, and it was not applied.
    Reset,
}

use Trouble::{Refused, Reset};

const RETRIED: [&[Trouble]; 6] = [
    &[Refused(Kind::Unavailable), Refused(Kind::Unavailable)],
    &[Reset, Reset],
    &[Reset, Refused(Kind::Unavailable)],
    &[Refused(Kind::RequestTimeout), Refused(Kind::TooManyRequests)],
    &[Refused(Kind::Internal), Refused(Kind::BadGateway)],
    &[Refused(Kind::DeadlineExceeded)],
];

const NOT_RETRIED: [&[Trouble]; 4] = [
    &[Refused(Kind::Invalid)],
    &[Refused(Kind::Unauthenticated)],
    &[Refused(Kind::Unavailable), Refused(Kind::Invalid)],
    &[Reset, Refused(Kind::Unauthenticated)],
];

/// What happens to the object in whose poll an operation is called.
#[derive(Clone, Copy, Debug)]
struct Course {
    operation: Operation,
    accepted: bool,
    /// Into another bucket: a copy and a deletion.
    elsewhere: bool,
    lease: bool,
}

const fn course(operation: Operation) -> Course {
    Course { operation, accepted: true, elsewhere: false, lease: false }
}

const LIST: Course = course(Operation::List);
const MOVE: Course = course(Operation::Move);
/// A look follows a move whose answer was lost.
const GET: Course = course(Operation::Get);
const UPDATE: Course = Course { accepted: false, ..course(Operation::Update) };
const REWRITE: Course = Course { elsewhere: true, ..course(Operation::Rewrite) };
const DELETE: Course = Course { elsewhere: true, ..course(Operation::Delete) };
const CREATE: Course = Course { lease: true, ..course(Operation::Insert) };

#[derive(Debug)]
struct Says(Answer);

#[async_trait]
impl Worker for Says {
    async fn process(&self, _: ProcessRequest, _: Duration) -> Answer {
        self.0.clone()
    }

    async fn is_reachable(&self, _timeout: Duration) -> bool {
        true
    }
}

/// A clock that is an hour ahead.
#[derive(Debug)]
struct InAnHour;

impl Clock for InAnHour {
    fn now(&self) -> Timestamp {
        Timestamp::now() + SignedDuration::from_hours(1)
    }
}

struct Stand {
    emulator: Emulator,
    course: Course,
}

/// How a poll ended: what it said of its object, or that it could not go on.
type Ended = Result<Vec<(Settlement, String)>, String>;

impl Stand {
    async fn start(course: Course) -> Self {
        let builder = Emulator::builder().bucket("data").bucket("archive");
        let emulator = builder.start(loopback().await).await.unwrap();
        Self { emulator, course }
    }

    /// An inbox with one object, and nothing else.
    fn tidy(&self) {
        for bucket in ["data", "archive"] {
            let bucket = self.emulator.storage().bucket(bucket);
            for object in bucket.list("").unwrap() {
                bucket.remove(&object.name).unwrap();
            }
        }
        self.emulator.storage().put("in/a", "content").unwrap();
        self.emulator.storage().reset_calls();
    }

    fn arm(&self, troubles: &[Trouble]) -> Vec<HitCount> {
        let faults = troubles.iter().map(|trouble| match trouble {
            Refused(kind) => Fault::before(*kind),
            Reset => Fault::reset_before(),
        });
        let storage = self.emulator.storage();
        faults.map(|fault| storage.fault(self.course.operation, fault)).collect()
    }

    /// How often the operation was called.
    fn calls(&self) -> u64 {
        self.emulator.storage().calls().count(self.course.operation)
    }

    async fn poller(&self, clock: Arc<dyn Clock>) -> Poller {
        let store = connect(&self.emulator).await;
        let to = self.to();
        let [processed, failed] = ["processed/", "failed/"].map(|prefix| Location::new(to, prefix));
        let answer = if self.course.accepted {
            Answer::ok(ProcessResponse::default())
        } else {
            Answer::status(Code::InvalidArgument, "no")
        };
        let mut config =
            Config { processed, failed, ..Config::for_inbox(Location::new("data", "in/")) };
        // The brake is looked at with a call of the same kind.
        config.budgets.max_refusals = 0;
        Poller::new(config, &store, Arc::new(Says(answer))).clock(clock).lease(self.course.lease)
    }

    async fn poll(&self) -> Ended {
        self.poll_by(Arc::new(SystemClock)).await
    }

    async fn poll_by(&self, clock: Arc<dyn Clock>) -> Ended {
        let settled = settled(&self.poller(clock).await).await?;
        let settled = settled.into_iter();
        Ok(settled.map(|one| (one.settlement(), one.destination)).collect())
    }

    /// The one thing that may be said of the object when all went well.
    #[allow(clippy::unnecessary_wraps, reason = "it is compared with how a poll ended")]
    fn at_its_place(&self) -> Ended {
        Ok(vec![self.place()])
    }

    /// The bucket that it goes to.
    fn to(&self) -> &'static str {
        if self.course.elsewhere { "archive" } else { "data" }
    }

    fn place(&self) -> (Settlement, String) {
        let (settlement, folder) = if self.course.accepted {
            (Settlement::Processed, "processed")
        } else {
            (Settlement::Failed, "failed")
        };
        (settlement, format!("gs://{}/{folder}/a", self.to()))
    }

    /// Every object, as URIs.
    fn everything(&self) -> Vec<String> {
        let uris = ["data", "archive"].map(|bucket| {
            let objects = self.emulator.storage().bucket(bucket).list("").unwrap();
            let uri = move |name| format!("gs://{bucket}/{name}");
            objects.into_iter().map(move |object| uri(object.name))
        });
        uris.into_iter().flatten().collect()
    }

    /// Whatever a poll met, one that meets nothing leaves the object in one place, when its next try is due.
    async fn settles_in_the_end(&self, after: &str) {
        self.poll_by(Arc::new(InAnHour)).await.unwrap();
        let (_, place) = self.place();
        assert_eq!(self.everything(), [place], "after {after}");
    }

    /// One poll that meets these troubles: how it ended, and what it was about.
    async fn meets(&self, troubles: &[Trouble]) -> (Ended, String) {
        let what = format!("{:?}: {troubles:?}", self.course.operation);
        self.tidy();
        let before = self.before_the_call();
        let met = self.arm(troubles);
        let ended = self.poll().await;
        assert!(met.iter().all(|met| met.count() == 1), "{what}: {met:?}");
        assert!(before.is_none_or(|before| before.count() == 1), "{what}");
        (ended, what)
    }

    /// Scenarios 1 and 2.
    async fn repeats(&self) {
        for troubles in RETRIED {
            let (ended, what) = self.meets(troubles).await;
            assert_eq!(ended, self.at_its_place(), "{what}");
            assert!(self.calls() > troubles.len() as u64, "{what}");
            self.settles_in_the_end(&what).await;
        }
    }

    /// Scenarios 5 and 6.
    async fn gives_up(&self) {
        for troubles in NOT_RETRIED {
            let (ended, what) = self.meets(troubles).await;
            assert_ne!(ended, self.at_its_place(), "{what}");
            assert_eq!(self.calls(), troubles.len() as u64, "{what}: {ended:?}");
            let identity = *troubles.last().unwrap() == Refused(Kind::Unauthenticated);
            assert!(!identity || ended.is_err(), "{what}: {ended:?}");
            self.settles_in_the_end(&what).await;
        }
    }

    /// It was applied, and its answer was lost.
    async fn looks(&self) {
        for fault in [Fault::after(Kind::Unavailable), Fault::reset_after()] {
            let what = format!("{:?}: {fault:?}", self.course.operation);
            self.tidy();
            let met = self.emulator.storage().fault(self.course.operation, fault);
            let ended = self.poll().await;
            assert_eq!(ended, self.at_its_place(), "{what}");
            assert_eq!(met.count(), 1, "{what}");
            self.settles_in_the_end(&what).await;
        }
    }

    /// What brings the poller to ask for it at all.
    fn before_the_call(&self) -> Option<HitCount> {
        let storage = self.emulator.storage();
        let is_look = self.course.operation == Operation::Get;
        is_look.then(|| storage.fault(Operation::Move, Fault::after(Kind::Unavailable)))
    }
}

/// Each row is a test: its name, what happens to the object, and whether a lost answer is looked for.
macro_rules! keeps_to_the_rules {
    ($($name:ident: $course:ident, $looks:literal;)+) => { $(
        #[tokio::test]
        async fn $name() {
            let stand = Stand::start($course).await;
            stand.repeats().await;
            stand.gives_up().await;
            if $looks {
                Stand::start($course).await.looks().await;
            }
        }
    )+ };
}

keeps_to_the_rules! {
    a_listing_is_repeated_as_google_says: LIST, false;
    a_look_is_repeated_as_google_says: GET, false;
    an_update_is_repeated_as_google_says: UPDATE, true;
    a_move_is_repeated_as_google_says: MOVE, true;
    a_copy_is_repeated_as_google_says: REWRITE, true;
    a_deletion_is_repeated_as_google_says: DELETE, true;
    taking_the_lease_is_repeated_as_google_says: CREATE, true;
}

#[tokio::test]
async fn a_move_whose_answer_was_lost_is_not_made_again() {
    let stand = Stand::start(MOVE).await;
    stand.tidy();
    let storage = stand.emulator.storage();
    let met = storage.fault(Operation::Move, Fault::reset_after());
    assert_eq!(stand.poll().await, stand.at_its_place());
    assert_eq!((met.count(), stand.calls()), (1, 1));
}
