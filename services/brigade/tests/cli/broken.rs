//! A poller whose answers break off: the commands go on where they were.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex},
};

use brigade_proto::v1::{
    GetObjectRequest, GetObjectResponse, GetStatusRequest, GetStatusResponse, InFlightSnapshot,
    InboxObject, ListObjectsRequest, ListObjectsResponse, ReplayFinished, ReplayObjectsRequest,
    ReplayObjectsResponse, ReplayProgress, ReplayResult, ReplayStarted, ReplayedObject,
    WatchEventsRequest, WatchEventsResponse,
    inbox_service_server::{InboxService, InboxServiceServer},
    replay_objects_response::Event as Replayed,
    watch_events_response::Event as Watched,
};
use futures::{Stream, stream};
use tempfile::TempDir;
use tonic::{Request, Response, Status};

use crate::system::{Ended, brigade, loopback, run};

type Responses<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;
type Scripts<R, T> = Arc<Mutex<VecDeque<(R, Vec<Result<T, Status>>)>>>;

/// Answers each call with the next script, if the call is the one that the script is for.
#[derive(Clone, Default)]
struct Scripted {
    lists: Scripts<ListObjectsRequest, ListObjectsResponse>,
    replays: Scripts<ReplayObjectsRequest, ReplayObjectsResponse>,
    watches: Scripts<WatchEventsRequest, WatchEventsResponse>,
}

fn next<R: PartialEq + std::fmt::Debug, T: Send + 'static>(
    scripts: &Scripts<R, T>,
    request: Request<R>,
) -> Result<Response<Responses<T>>, Status> {
    let script = scripts.lock().unwrap().pop_front();
    let Some((expected, responses)) = script else {
        return Err(Status::invalid_argument("no call was expected"));
    };
    let request = request.into_inner();
    if request != expected {
        return Err(Status::invalid_argument(format!("expected {expected:?}, got {request:?}")));
    }
    Ok(Response::new(Box::pin(stream::iter(responses))))
}

#[tonic::async_trait]
impl InboxService for Scripted {
    type ListObjectsStream = Responses<ListObjectsResponse>;
    type ReplayObjectsStream = Responses<ReplayObjectsResponse>;
    type WatchEventsStream = Responses<WatchEventsResponse>;

    async fn get_status(
        &self,
        _: Request<GetStatusRequest>,
    ) -> Result<Response<GetStatusResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn list_objects(
        &self,
        request: Request<ListObjectsRequest>,
    ) -> Result<Response<Self::ListObjectsStream>, Status> {
        next(&self.lists, request)
    }

    async fn get_object(
        &self,
        _: Request<GetObjectRequest>,
    ) -> Result<Response<GetObjectResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn replay_objects(
        &self,
        request: Request<ReplayObjectsRequest>,
    ) -> Result<Response<Self::ReplayObjectsStream>, Status> {
        next(&self.replays, request)
    }

    async fn watch_events(
        &self,
        request: Request<WatchEventsRequest>,
    ) -> Result<Response<Self::WatchEventsStream>, Status> {
        next(&self.watches, request)
    }
}

/// Runs a command against it.
async fn against(service: Scripted, arguments: &[&str]) -> Ended {
    let listener = loopback().await;
    let url = format!("http://{}", listener.local_addr().unwrap());
    let routes = tonic::service::Routes::new(InboxServiceServer::new(service)).into_axum_router();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let home = TempDir::new().unwrap();
    run(brigade(home.path(), [arguments, &["--poller", &url]].concat())).await
}

fn cut<T>() -> Result<T, Status> {
    Err(Status::unavailable("the instance ended"))
}

fn object(path: &str) -> InboxObject {
    InboxObject { path: path.to_owned(), ..InboxObject::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_goes_on_after_the_last_page_and_shows_no_object_twice() {
    let page = |paths: &[&str], token: &str| {
        Ok(ListObjectsResponse {
            objects: paths.iter().copied().map(object).collect(),
            next_page_token: token.to_owned(),
            scanned: 2,
        })
    };
    let filter = brigade_proto::v1::ObjectFilter { place: 3, ..Default::default() };
    let request = |token: &str| ListObjectsRequest {
        filter: Some(filter.clone()),
        limit: 0,
        page_token: token.to_owned(),
    };
    let service = Scripted::default();
    service.lists.lock().unwrap().extend([
        (request(""), vec![cut()]),
        (request(""), vec![page(&["a", "b"], "after b"), cut()]),
        (request("after b"), vec![page(&["c"], "")]),
    ]);
    let ended = against(service, &["failed", "--json"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let objects: Vec<InboxObject> = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(objects, ["a", "b", "c"].map(object));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_goes_on_after_its_last_token_and_counts_each_object_once() {
    let event = |event| Ok(ReplayObjectsResponse { event: Some(event) });
    let moved = |path: &str| {
        event(Replayed::Object(ReplayedObject {
            object: Some(object(path)),
            result: ReplayResult::Replayed.into(),
            ..ReplayedObject::default()
        }))
    };
    let started = || event(Replayed::Started(ReplayStarted::default()));
    let progress = |token: &str| {
        event(Replayed::Progress(ReplayProgress {
            next_page_token: token.to_owned(),
            ..ReplayProgress::default()
        }))
    };
    let finished = |token: &str| {
        let next_page_token = token.to_owned();
        event(Replayed::Finished(ReplayFinished { next_page_token, ..ReplayFinished::default() }))
    };
    let request = |token: &str, limit| ReplayObjectsRequest {
        all: true,
        limit,
        page_token: token.to_owned(),
        ..ReplayObjectsRequest::default()
    };
    let service = Scripted::default();
    service.replays.lock().unwrap().extend([
        (request("", 5), vec![started(), moved("a"), progress("after a"), moved("b"), cut()]),
        // An instance that shuts down says where another one goes on.
        (request("after a", 3), vec![started(), moved("b"), moved("c"), finished("after c")]),
        (request("after c", 2), vec![started(), moved("d"), moved("e"), finished("after e")]),
    ]);
    let ended = against(service, &["replay", "--all", "--yes", "--limit", "5"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_eq!(ended.out, "5 objects moved back into the inbox\n", "{}", ended.err);
    assert!(ended.err.ends_with("the limit ended the replay; run it again for the rest\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_connects_again_and_ends_when_it_is_refused() {
    let snapshot = |count| {
        let event = Watched::Snapshot(InFlightSnapshot { count, objects: Vec::new() });
        Ok(WatchEventsResponse { time: None, event: Some(event) })
    };
    let request = WatchEventsRequest {};
    let service = Scripted::default();
    service.watches.lock().unwrap().extend([
        (request, vec![snapshot(1), cut()]),
        (request, vec![snapshot(2)]),
        (request, vec![snapshot(3), Err(Status::permission_denied("no longer"))]),
    ]);
    let ended = against(service, &["watch"]).await;
    assert_eq!(ended.code, Some(77));
    let counts: Vec<String> =
        (1..=3).map(|n| format!("{{\"snapshot\":{{\"count\":\"{n}\"}}}}\n")).collect();
    assert_eq!(ended.out, counts.concat());
    assert_eq!(ended.err.matches("connection lost").count(), 2, "{}", ended.err);
    assert!(ended.err.ends_with("error: no longer\n"), "{}", ended.err);
}
