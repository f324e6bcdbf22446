//! The poller's events, over a connection.

use std::{
    pin::Pin,
    sync::atomic::{AtomicUsize, Ordering},
};

use brigade_proto::v1::{
    GetObjectRequest, GetObjectResponse, GetStatusRequest, GetStatusResponse, InFlightSnapshot,
    InboxObject, ListObjectsRequest, ListObjectsResponse, Object, PollResponse, PollStarted,
    ReplayObjectsRequest, ReplayObjectsResponse, WatchEventsRequest, WatchEventsResponse,
    inbox_service_server::{InboxService, InboxServiceServer},
    poll_response,
    watch_events_response::Event,
};
use futures::{Stream, StreamExt as _, stream};
use tokio::net::TcpListener;
use tonic::{
    Request, Response, Status,
    transport::{Server, server::TcpIncoming},
};

use super::*;
use crate::live::follow;

type Responses<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// A poller that ends its first stream of events, as an instance that is replaced does.
#[derive(Default)]
struct Poller {
    streams: AtomicUsize,
}

fn in_flight(name: &str) -> Event {
    let object = Object { name: name.into(), generation: 1, ..Object::default() };
    let objects = vec![InboxObject { object: Some(object), ..InboxObject::default() }];
    Event::Snapshot(InFlightSnapshot { count: 1, objects })
}

#[tonic::async_trait]
impl InboxService for Poller {
    type ListObjectsStream = Responses<ListObjectsResponse>;
    type ReplayObjectsStream = Responses<ReplayObjectsResponse>;
    type WatchEventsStream = Responses<WatchEventsResponse>;

    async fn watch_events(
        &self,
        _: Request<WatchEventsRequest>,
    ) -> Result<Response<Self::WatchEventsStream>, Status> {
        let said = |event| Ok(WatchEventsResponse { time: None, event: Some(event) });
        Ok(Response::new(if self.streams.fetch_add(1, Ordering::SeqCst) == 0 {
            let started = poll_response::Event::Started(PollStarted::default());
            let poll = Event::Poll(PollResponse { event: Some(started) });
            Box::pin(stream::iter([said(in_flight("before")), said(poll)]))
        } else {
            Box::pin(stream::iter([said(in_flight("after"))]).chain(stream::pending()))
        }))
    }

    async fn get_status(
        &self,
        _: Request<GetStatusRequest>,
    ) -> Result<Response<GetStatusResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn list_objects(
        &self,
        _: Request<ListObjectsRequest>,
    ) -> Result<Response<Self::ListObjectsStream>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn get_object(
        &self,
        _: Request<GetObjectRequest>,
    ) -> Result<Response<GetObjectResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn replay_objects(
        &self,
        _: Request<ReplayObjectsRequest>,
    ) -> Result<Response<Self::ReplayObjectsStream>, Status> {
        Err(Status::unimplemented(""))
    }
}

#[tokio::test]
async fn the_page_goes_on_after_the_poller_ends_the_stream_of_events() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let service = InboxServiceServer::new(Poller::default());
    let server = Server::builder().add_service(service);
    let server = tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    let (live, shutdown) = (Arc::new(Live::new()), CancellationToken::new());
    let mut changes = live.changes();
    let inbox = InboxClient::new(&url, None, None).unwrap();
    let following = tokio::spawn(follow(inbox, live.clone(), shutdown.clone()));

    let ended = "no events from the poller: the stream ended";
    changes.wait_for(|changes| changes.lost == ended).await.unwrap();
    let before = changes.borrow().flight;
    changes.wait_for(|changes| changes.lost.is_empty()).await.unwrap();
    let names: Vec<_> =
        live.flights().into_iter().filter_map(|(info, _)| Some(info.object?.name)).collect();
    assert_eq!(names, ["after"], "what was in flight before may have been settled since");
    assert!(changes.borrow().flight > before, "the browser asks again");
    assert!(live.polls()[0].is_unsure, "its end was not seen");

    shutdown.cancel();
    following.await.unwrap();
    server.abort();
}
