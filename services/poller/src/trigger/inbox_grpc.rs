//! `InboxService` over gRPC.

use std::pin::Pin;

use axum::Router;
use brigade_proto::v1::{
    GetObjectRequest, GetObjectResponse, GetStatusRequest, GetStatusResponse, ListObjectsRequest,
    ListObjectsResponse, ReplayObjectsRequest, ReplayObjectsResponse, WatchEventsRequest,
    WatchEventsResponse,
    inbox_service_server::{InboxService, InboxServiceServer},
};
use brigade_runtime::service::MAX_BODY;
use futures::{Stream, StreamExt as _};
use tonic::{Request, Response, Status};

use crate::{
    error::PollError,
    inbox::{list, look, replay, status, watch},
    poller::Poller,
};

/// The error of a name that no place has.
pub(super) fn not_found(name: &str) -> String {
    format!(
        "neither the inbox nor the processed and the failed location has {name:?}; check the name: brigade failed lists \
         what failed"
    )
}

/// The gRPC service's routes. A replay may name many objects, so its requests are longer than those of the other service.
pub(super) fn routes(poller: Poller) -> Router {
    let service = InboxServiceServer::new(Service { poller }).max_decoding_message_size(MAX_BODY);
    // The other service's answer to unknown methods is the one that counts.
    tonic::service::Routes::new(service).into_axum_router().reset_fallback()
}

struct Service {
    poller: Poller,
}

type Responses<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

fn responses<T: Send + 'static>(
    stream: impl Stream<Item = Result<T, PollError>> + Send + 'static,
) -> Response<Responses<T>> {
    Response::new(Box::pin(stream.map(|item| item.map_err(Status::from))))
}

#[tonic::async_trait]
impl InboxService for Service {
    type ListObjectsStream = Responses<ListObjectsResponse>;
    type ReplayObjectsStream = Responses<ReplayObjectsResponse>;
    type WatchEventsStream = Responses<WatchEventsResponse>;

    async fn get_status(
        &self,
        request: Request<GetStatusRequest>,
    ) -> Result<Response<GetStatusResponse>, Status> {
        let status = status::status(&self.poller.instance, request.into_inner()).await?;
        Ok(Response::new(status))
    }

    async fn list_objects(
        &self,
        request: Request<ListObjectsRequest>,
    ) -> Result<Response<Self::ListObjectsStream>, Status> {
        Ok(responses(list::list(&self.poller.instance, request.into_inner())?))
    }

    async fn get_object(
        &self,
        request: Request<GetObjectRequest>,
    ) -> Result<Response<GetObjectResponse>, Status> {
        let found = look::look(&self.poller.instance, request.get_ref()).await?;
        found
            .map(Response::new)
            .ok_or_else(|| Status::not_found(not_found(&request.get_ref().name)))
    }

    async fn replay_objects(
        &self,
        request: Request<ReplayObjectsRequest>,
    ) -> Result<Response<Self::ReplayObjectsStream>, Status> {
        let instance = self.poller.instance.clone();
        Ok(responses(replay::replay(instance, request.into_inner())?))
    }

    async fn watch_events(
        &self,
        _request: Request<WatchEventsRequest>,
    ) -> Result<Response<Self::WatchEventsStream>, Status> {
        Ok(Response::new(Box::pin(watch::watch(&self.poller.instance)?)))
    }
}
