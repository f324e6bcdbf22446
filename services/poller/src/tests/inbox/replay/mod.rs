//! Replays, over a simulated bucket.

mod buckets;
mod ends;
mod faults;
mod large;
mod places;
mod results;
mod selection;

use brigade_proto::v1::{
    ReplayCounts, ReplayFinished, ReplayObjectsRequest, ReplayObjectsResponse, ReplayProgress,
    ReplayResult, ReplayStarted, ReplayedObject, replay_objects_response::Event,
};
use brigade_sim::{Change, Sim};
use futures::{Stream, StreamExt as _};

use super::{super::world::World, *};

/// All that a replay said.
#[derive(Debug, Default)]
struct Said {
    started: Option<ReplayStarted>,
    objects: Vec<ReplayedObject>,
    progress: Vec<ReplayProgress>,
    finished: Option<ReplayFinished>,
    error: Option<PollError>,
}

impl Said {
    fn counts(&self) -> ReplayCounts {
        self.finished.as_ref().unwrap().counts.unwrap()
    }

    fn token(&self) -> String {
        self.finished.as_ref().unwrap().next_page_token.clone()
    }

    fn results(&self) -> Vec<(&str, ReplayResult)> {
        let result = |said: &'_ ReplayedObject| said.result();
        self.objects
            .iter()
            .map(|said| (&*said.object.as_ref().unwrap().path, result(said)))
            .collect()
    }

    fn hear(&mut self, response: Result<ReplayObjectsResponse, PollError>) {
        match response {
            Ok(response) => match response.event.unwrap() {
                Event::Started(started) => self.started = Some(started),
                Event::Object(object) => self.objects.push(object),
                Event::Progress(progress) => self.progress.push(progress),
                Event::Finished(finished) => self.finished = Some(finished),
            },
            Err(error) => self.error = Some(error),
        }
    }
}

fn everything() -> ReplayObjectsRequest {
    ReplayObjectsRequest { all: true, ..ReplayObjectsRequest::default() }
}

fn named(names: &[&str]) -> ReplayObjectsRequest {
    let names = names.iter().map(|&name| name.to_owned()).collect();
    ReplayObjectsRequest { names, ..ReplayObjectsRequest::default() }
}

fn selecting(filter: ObjectFilter) -> ReplayObjectsRequest {
    ReplayObjectsRequest { filter: Some(filter), ..ReplayObjectsRequest::default() }
}

async fn replay(poller: &Poller, request: ReplayObjectsRequest) -> Said {
    heard(poller.replay(request).unwrap()).await
}

async fn heard(stream: impl Stream<Item = Result<ReplayObjectsResponse, PollError>>) -> Said {
    let mut said = Said::default();
    let mut stream = std::pin::pin!(stream);
    while let Some(response) = stream.next().await {
        said.hear(response);
    }
    said
}

/// Replays again and again until nothing is left, as an operator does.
async fn replay_to_the_end(poller: &Poller) {
    for _ in 0..50 {
        let said = replay(poller, everything()).await;
        if said.finished.is_some_and(|finished| finished.next_page_token.is_empty()) {
            return;
        }
    }
    panic!("it never ends");
}

/// A worker that refuses everything.
fn refusing() -> Script {
    Script { otherwise: Some(Answer::status(Code::InvalidArgument, "no day")), ..Script::default() }
}

/// A world with these objects in its failed location.
async fn failed(names: &[&str]) -> World {
    failed_in(world(refusing()), names).await
}

/// As many as 20, so that no brake is on.
async fn failed_in(world: World, names: &[&str]) -> World {
    let world = world.with(names);
    world.poll_all().await;
    assert!(!world.names().iter().any(|name| name.starts_with("in/")), "{:?}", world.names());
    world
}

/// How often something was moved or copied into the inbox, by the name that it had.
fn moves_in(sim: &Sim) -> Vec<(String, usize)> {
    let mut moves = std::collections::BTreeMap::new();
    for mutation in sim.history() {
        if let Change::Moved { to } | Change::Copied { to } = mutation.change
            && to.name.starts_with("in/")
        {
            *moves.entry(to.name).or_insert(0) += 1;
        }
    }
    moves.into_iter().collect()
}
