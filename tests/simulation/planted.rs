//! The bugs that a poller could have, planted to prove that the simulation finds them. Each stands at a port, where a
//! wrong poller would meet it; the poller itself is the real one.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use brigade_client::answer::Answer;
use brigade_poller::{dispatch::Worker, filter::CONTROL_PREFIX};
use brigade_proto::v1::ProcessRequest;
use brigade_sim::Sim;
use brigade_storage::{
    Bucket, Error, Kind, ListRequest, Metadata, Object, Operation, Page, Pinned, Result,
};
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
}

/// All of them, by name.
pub(crate) const BUGS: [(Bug, &str); 14] = [
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
];

/// A bug, or none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Planted(pub(crate) Option<Bug>);

// === impl Planted ===

impl Planted {
    pub(crate) fn is(self, bug: Bug) -> bool {
        self.0 == Some(bug)
    }

    pub(crate) async fn get(self, bucket: &dyn Bucket, name: &str) -> Result<Object> {
        let is_destination = !name.starts_with("in/") && !name.starts_with(CONTROL_PREFIX);
        if self.is(Bug::LostAfterRetry) && is_destination {
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
        marks
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
            Some(Bug::NoDestinationFence) => {
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

fn error(kind: Kind, operation: Operation, bucket: &dyn Bucket, name: &str) -> Error {
    Error::new(kind, operation, bucket.name(), name, "a planted bug")
}

/// A worker whose answers a wrong poller misreads.
#[derive(Debug)]
pub(crate) struct Misread<W> {
    pub(crate) inner: W,
    pub(crate) planted: Planted,
    pub(crate) remembered: Mutex<BTreeMap<String, Answer>>,
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
}
