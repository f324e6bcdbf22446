//! The bugs that a poller could have, planted to prove that the simulation finds them. Each stands at a port, where a
//! wrong poller would meet it; the poller itself is the real one.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use brigade_client::answer::{Answer, WorkerAnswer};
use brigade_poller::{dispatch::Worker, filter::CONTROL_PREFIX, mark};
use brigade_proto::v1::ProcessRequest;
use brigade_sim::Sim;
use brigade_storage::{
    Bucket, Error, Kind, ListRequest, Metadata, Object, Operation, Page, Pinned, Result,
};
use tokio::time::sleep;
use tonic::Code;

use crate::weather::REFUSALS;

/// A bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    /// Moves whatever is at the name.
    NoSourceFence,
    /// Replaces whatever is at the destination.
    NoDestinationFence,
    /// Deletes what it should move.
    DeleteInsteadOfMove,
    /// Takes a move whose answer was lost for another poller's.
    LostAfterRetry,
    /// Takes a broken connection for a refusal.
    MoveOnTransportFailure,
    /// Compares metagenerations, which a new upload starts again.
    FenceByMetageneration,
    /// Moves whatever was written on the object meanwhile.
    NoMetadataFence,
    /// Leaves an old verdict beside a new mark.
    OldVerdictKept,
    /// Repeats an ambiguous call without a look.
    NoLook,
    /// Takes a failed condition for a move that was done before.
    ConflictTakenAsSuccess,
    /// Remembers what the worker said by name.
    VerdictByName,
    /// Counts pages of a listing that shrinks.
    CursorByPageNumber,
    /// Releases whatever lease is there.
    LeaseReleasedByName,
    /// Names the version to delete instead of the one that must be live.
    VersionDeleted,
    /// Does not tell events what polls have in flight.
    EventsApart,
    /// Has more in flight than it may.
    LimitIgnored,
    /// Counts an attempt where the worker was too busy to look.
    BusyTakenForAWait,
    /// Takes a fault of the wiring for a refusal.
    WiringTakenForARefusal,
    /// Counts an attempt where the call was lost.
    LossTakenForAnAttempt,
    /// Forgets attempts at the end of a poll.
    AttemptsDropped,
    /// Renews its lease when it has expired.
    LeaseRenewedLate,
    /// Holds a loss beside others against an object.
    LossBesideOthersCounted,
    /// Forgets losses.
    LossesDropped,
    /// Does not see that the brake is on.
    BrakeNeverRead,
    /// A replay that replaces what has its object's name in the inbox.
    ReplayOverUpload,
    /// A replay that moves whatever has the name.
    ReplayByName,
    /// A replay that copies, and does not delete.
    ReplayLeavesOriginal,
    /// A worker that replaces whatever has an output's name.
    ReplacesWhateverIsThere,
    /// One that takes its object for live.
    WritesAfterSuperseded,
    /// One whose outputs have no folder of their object's.
    NamedByTheLastPart,
    /// One that removes no output.
    LeavesOutputs,
}

/// All of them, by name.
pub(crate) const BUGS: [(Bug, &str); 31] = [
    (Bug::NoSourceFence, "no source fence"),
    (Bug::NoDestinationFence, "no destination fence"),
    (Bug::DeleteInsteadOfMove, "delete instead of move"),
    (Bug::LostAfterRetry, "404 after a retry taken as lost"),
    (Bug::MoveOnTransportFailure, "move on a transport failure"),
    (Bug::FenceByMetageneration, "fence by metageneration"),
    (Bug::NoMetadataFence, "no fence by what is written on the object"),
    (Bug::OldVerdictKept, "an old verdict left beside a new mark"),
    (Bug::NoLook, "no look after an ambiguous error"),
    (Bug::ConflictTakenAsSuccess, "409/412 taken as success"),
    (Bug::VerdictByName, "verdict kept by name instead of generation"),
    (Bug::CursorByPageNumber, "listing cursor by page number"),
    (Bug::LeaseReleasedByName, "lease released by name"),
    (Bug::VersionDeleted, "`generation` parameter in a versioned delete"),
    (Bug::EventsApart, "events and polls that do not share what is in flight"),
    (Bug::LimitIgnored, "more in flight than the limit"),
    (Bug::BusyTakenForAWait, "busy taken for a wait"),
    (Bug::WiringTakenForARefusal, "a fault of the wiring taken for a refusal"),
    (Bug::LossTakenForAnAttempt, "an attempt counted at a transport failure"),
    (Bug::AttemptsDropped, "attempts dropped when a poll ends"),
    (Bug::LeaseRenewedLate, "a lease renewed too late"),
    (Bug::LossBesideOthersCounted, "a loss beside others counted"),
    (Bug::LossesDropped, "losses dropped"),
    (Bug::BrakeNeverRead, "a brake that is never read"),
    (Bug::ReplayOverUpload, "a replay that replaces a newer upload"),
    (Bug::ReplayByName, "a replay of whatever has the name"),
    (Bug::ReplayLeavesOriginal, "a replay that leaves its original"),
    (Bug::ReplacesWhateverIsThere, "replaces whatever lies there"),
    (Bug::WritesAfterSuperseded, "writes after it was superseded"),
    (Bug::NamedByTheLastPart, "named by the last part"),
    (Bug::LeavesOutputs, "leaves outputs of a failed run"),
];

/// A bug, or none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Planted(pub(crate) Option<Bug>);

// === impl Planted ===

impl Planted {
    pub(crate) fn is(self, bug: Bug) -> bool {
        self.0 == Some(bug)
    }

    /// What a wrong poller takes this status for.
    fn misread(self, code: Code) -> Code {
        match (self.0, code) {
            (Some(Bug::BusyTakenForAWait), Code::ResourceExhausted) => Code::Unavailable,
            (
                Some(Bug::WiringTakenForARefusal),
                Code::Unimplemented | Code::PermissionDenied | Code::Unauthenticated,
            ) => Code::Internal,
            _ => code,
        }
    }

    fn misreads(self, code: Code) -> bool {
        self.misread(code) != code
    }

    pub(crate) fn concurrency(self, most: usize) -> usize {
        if self.is(Bug::LimitIgnored) { most + 1 } else { most }
    }

    pub(crate) async fn get(self, bucket: &dyn Bucket, name: &str) -> Result<Object> {
        let is_destination = !name.starts_with("in/") && !name.starts_with(CONTROL_PREFIX);
        if self.is(Bug::LostAfterRetry) && is_destination {
            return Err(error(Kind::NotFound, Operation::Get, bucket, name));
        }
        if self.is(Bug::BrakeNeverRead) && is_brake(name) {
            return Err(error(Kind::NotFound, Operation::Get, bucket, name));
        }
        bucket.get(name).await
    }

    /// What is written on an object.
    pub(crate) fn marks(self, metadata: &Metadata) -> Metadata {
        let mut marks = metadata.clone();
        if self.is(Bug::OldVerdictKept) {
            marks.retain(|_, value| !value.is_empty());
        }
        if self.is(Bug::AttemptsDropped) && marks.get(mark::STATUS).is_none_or(String::is_empty) {
            marks.remove(mark::ATTEMPTS);
        }
        if let Some(losses) = marks.get_mut(mark::LOSSES) {
            match self.0 {
                Some(Bug::LossBesideOthersCounted) => {
                    *losses = losses.replace("together", "counted");
                }
                Some(Bug::LossesDropped) => losses.clear(),
                _ => {}
            }
        }
        marks
    }

    /// Before an object is written.
    pub(crate) async fn before_create(self, name: &str, replaces: i64) {
        let is_renewal =
            name.starts_with(CONTROL_PREFIX) && name.ends_with("lease") && replaces > 0;
        if self.is(Bug::LeaseRenewedLate) && is_renewal {
            sleep(Duration::from_secs(45)).await;
        }
    }

    pub(crate) async fn rename(
        self,
        bucket: &dyn Bucket,
        source: Pinned<'_>,
        metageneration: i64,
        to: &str,
    ) -> Result<Object> {
        let rename = || bucket.rename(source, metageneration, to);
        match self.0 {
            Some(Bug::NoSourceFence) => {
                let live = bucket.get(source.name).await?;
                bucket.rename(live.pinned(), live.metageneration, to).await
            }
            Some(Bug::FenceByMetageneration) => {
                let live = bucket.get(source.name).await?;
                let meant =
                    if live.metageneration == metageneration { live.pinned() } else { source };
                bucket.rename(meant, metageneration, to).await
            }
            Some(Bug::NoMetadataFence) => {
                let live = bucket.get(source.name).await?;
                bucket.rename(source, live.metageneration, to).await
            }
            Some(Bug::ReplayByName) if to.starts_with("in/") => {
                // Time for another object to get the name.
                sleep(Duration::from_mins(10)).await;
                let live = bucket.get(source.name).await?;
                bucket.rename(live.pinned(), live.metageneration, to).await
            }
            Some(Bug::ReplayOverUpload) if !to.starts_with("in/") => rename().await,
            Some(Bug::NoDestinationFence | Bug::ReplayOverUpload) => {
                if let Ok(there) = bucket.get(to).await {
                    bucket.delete(there.pinned()).await?;
                }
                rename().await
            }
            Some(Bug::DeleteInsteadOfMove) => {
                let live = bucket.get(source.name).await?;
                bucket.delete(source).await?;
                Ok(live)
            }
            Some(Bug::NoLook) => match rename().await {
                Err(error) if error.is_ambiguous() => rename().await,
                answer => answer,
            },
            Some(Bug::ConflictTakenAsSuccess) => match rename().await {
                Err(error) if error.is_precondition() => bucket.get(source.name).await,
                answer => answer,
            },
            _ => rename().await,
        }
    }

    pub(crate) async fn delete(
        self,
        bucket: &dyn Bucket,
        sim: &Sim,
        source: Pinned<'_>,
    ) -> Result<()> {
        match self.0 {
            Some(Bug::LeaseReleasedByName) if source.name.starts_with(CONTROL_PREFIX) => {
                let live = bucket.get(source.name).await?;
                bucket.delete(live.pinned()).await
            }
            Some(Bug::VersionDeleted) if !source.name.starts_with(CONTROL_PREFIX) => {
                sim.erase(bucket.name(), source.name, source.generation)
            }
            Some(Bug::ReplayLeavesOriginal) if source.name.starts_with("failed/") => Ok(()),
            _ => bucket.delete(source).await,
        }
    }

    /// Pages by their number, of a listing that is made again for each.
    pub(crate) async fn list_by_number(
        self,
        bucket: &dyn Bucket,
        request: &ListRequest,
    ) -> Result<Page> {
        let all = bucket
            .list(&ListRequest { page_size: 1_000, page_token: String::new(), ..request.clone() })
            .await?;
        let number = request.page_token.parse().unwrap_or(0_usize);
        let size = usize::try_from(request.page_size).unwrap_or(1);
        let mut objects = all.objects.into_iter().skip(number * size);
        let page: Vec<_> = objects.by_ref().take(size).collect();
        let next = objects.next().map(|_| (number + 1).to_string());
        Ok(Page { objects: page, next: next.unwrap_or_default() })
    }
}

fn is_brake(name: &str) -> bool {
    name.starts_with(CONTROL_PREFIX) && name.ends_with("brake")
}

fn error(kind: Kind, operation: Operation, bucket: &dyn Bucket, name: &str) -> Error {
    Error::new(kind, operation, bucket.name(), name, "a planted bug")
}

/// A worker whose answers a wrong poller misreads.
#[derive(Debug)]
pub(crate) struct Misread<W> {
    pub(crate) inner: W,
    pub(crate) planted: Planted,
    pub(crate) remembered: Arc<Mutex<BTreeMap<String, Answer>>>,
}

impl<W> Misread<W> {
    fn remembered(&self) -> MutexGuard<'_, BTreeMap<String, Answer>> {
        let remembered = self.remembered.lock();
        remembered.unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl<W: Worker> Worker for Misread<W> {
    async fn process(&self, request: ProcessRequest, timeout: Duration) -> Answer {
        let name = request.object.clone().unwrap_or_default().name;
        if self.planted.is(Bug::VerdictByName)
            && let Some(answer) = self.remembered().get(&name)
        {
            return answer.clone();
        }
        let answer = self.inner.process(request, timeout).await;
        match &answer {
            Answer::Worker(said) if self.planted.misreads(said.code) => {
                let said = said.as_ref().clone();
                let code = self.planted.misread(said.code);
                return Answer::Worker(Box::new(WorkerAnswer { code, ..said }));
            }
            Answer::Transport(error) if self.planted.is(Bug::LossTakenForAnAttempt) => {
                return Answer::status(Code::Unavailable, error.to_string());
            }
            Answer::Transport(error) if self.planted.is(Bug::MoveOnTransportFailure) => {
                return Answer::status(Code::Internal, error.to_string());
            }
            Answer::Worker(said) if said.code == Code::Ok || REFUSALS.contains(&said.code) => {
                self.remembered().insert(name, answer.clone());
            }
            _ => {}
        }
        answer
    }

    async fn is_reachable(&self, timeout: Duration) -> bool {
        self.inner.is_reachable(timeout).await
    }
}
