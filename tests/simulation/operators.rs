//! An operator who has failed objects tried again, while everything else goes on.

use std::{collections::BTreeMap, pin::pin, time::Duration};

use brigade_proto::v1::{
    ObjectFilter, ReplayObjectsRequest, ReplayResult, replay_objects_response::Event,
};
use brigade_sim::{Actor, Change, Mutation, Place, UploadOutcome};
use fastrand::Rng;
use futures::StreamExt as _;
use tokio::time::{sleep, timeout};

use crate::{instance::Instance, people::named, schedule::Schedule};

/// Longer than storage can hold up a replay of this many objects.
const PATIENCE: Duration = Duration::from_hours(1);

/// What a replay said of one object that it moved.
#[derive(Clone, Debug)]
pub(crate) struct Replayed {
    pub(crate) generation: i64,
    pub(crate) destination: String,
}

/// Replays at random times, each by a process of its own. Some are killed half way, and of some the caller goes away.
#[derive(Debug)]
pub(crate) struct Operator {
    rng: Rng,
    replays: usize,
    names: usize,
    crashes: u16,
}

// === impl Operator ===

impl Operator {
    pub(crate) fn new(schedule: &Schedule) -> Self {
        let Schedule { replays, names, crashes, .. } = *schedule;
        Self { rng: schedule.rng("operator"), replays, names, crashes }
    }

    /// Does it all; what was said.
    pub(crate) async fn work(
        mut self,
        longest: Duration,
        start: impl Fn() -> Instance,
    ) -> Vec<Replayed> {
        let mut said = Vec::new();
        for _ in 0..self.replays {
            sleep(longest.mul_f64(self.rng.f64())).await;
            let request = self.request();
            let ends = self.rng.u16(0..1_000) < self.crashes;
            let after = Duration::from_secs(60).mul_f64(self.rng.f64());
            let is_killed = self.rng.bool();
            let instance = start();
            let replay = replay(&instance, request, &mut said);
            let is_over = timeout(if ends { after } else { PATIENCE }, replay).await;
            if is_over.is_err() && is_killed {
                instance.ends.dead.cancel();
            }
        }
        said
    }

    fn request(&mut self) -> ReplayObjectsRequest {
        let mut request = ReplayObjectsRequest::default();
        let mut name = || named(self.rng.usize(0..self.names)).replacen("in/", "", 1);
        match name().len() % 3 {
            0 => request.names = vec![name(), name()],
            1 => request.all = true,
            _ => {
                let prefix = name().chars().take(2).collect();
                request.filter = Some(ObjectFilter { prefix, ..ObjectFilter::default() });
            }
        }
        request.limit = self.rng.i64(0..30);
        request
    }
}

async fn replay(instance: &Instance, request: ReplayObjectsRequest, said: &mut Vec<Replayed>) {
    let stream = instance.poller.replay(request).expect("the request is valid");
    let mut stream = pin!(stream);
    while let Some(Ok(response)) = stream.next().await {
        if let Some(Event::Object(object)) = response.event
            && object.result() == ReplayResult::Replayed
        {
            let found = object.object.and_then(|object| object.object).unwrap_or_default();
            let destination = object.destination;
            said.push(Replayed { generation: found.generation, destination });
        }
    }
}

/// Whether a change put a failed object back.
fn replayed_to(mutation: &Mutation) -> Option<&Place> {
    match &mutation.change {
        Change::Moved { to } | Change::Copied { to } => Some(to)
            .filter(|to| to.name.starts_with("in/") && mutation.place.name.starts_with("failed/")),
        _ => None,
    }
}

/// Failed objects that were put back.
pub(crate) fn count(history: &[Mutation]) -> u64 {
    history.iter().filter_map(replayed_to).count() as u64
}

/// What became of each upload, where one that was put back counts from there on: to the pollers it is another one.
pub(crate) fn follow(mut fates: Vec<UploadOutcome>, history: &[Mutation]) -> Vec<UploadOutcome> {
    let (mut uploads, mut at) = (0, BTreeMap::new());
    for mutation in history {
        match &mutation.change {
            Change::Created { .. } => {
                at.insert(&mutation.place, uploads);
                uploads += 1;
            }
            Change::Moved { to } | Change::Copied { to } => {
                let Some(&upload) = at.get(&mutation.place) else { continue };
                at.insert(to, upload);
                let fate = &mut fates[upload];
                // Where a person took the copy away before its original was removed, that one is still the upload.
                if replayed_to(mutation).is_some() && !fate.places.contains(&mutation.place) {
                    fate.uploaded = to.clone();
                }
            }
            Change::Updated { .. } | Change::Deleted | Change::Erased => {}
        }
    }
    fates
}

/// Whether a person removed or replaced this generation.
pub(crate) fn is_taken(history: &[Mutation], copy: &Place) -> bool {
    history.iter().filter(|mutation| mutation.by == Actor::External).any(|mutation| {
        let Place { bucket, name, generation } = &mutation.place;
        let taken = match mutation.change {
            Change::Deleted => Some(*generation),
            Change::Created { replaced } => replaced,
            _ => None,
        };
        taken == Some(copy.generation) && *bucket == copy.bucket && *name == copy.name
    })
}
