//! The `Poll` RPC.

use std::pin::Pin;

use axum::Router;
use brigade_proto::v1::{
    PollRequest, PollResponse,
    poller_service_server::{PollerService, PollerServiceServer},
};
use brigade_runtime::deadline;
use futures::{Stream, StreamExt as _};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::poll::{Poller, Trigger};

/// A request names a prefix; more than this is not one.
const MAX_REQUEST: usize = 64 * 1024;

/// The gRPC service's routes.
pub(super) fn routes(poller: Poller) -> Router {
    let service =
        PollerServiceServer::new(Service { poller }).max_decoding_message_size(MAX_REQUEST);
    tonic::service::Routes::new(service).into_axum_router()
}

struct Service {
    poller: Poller,
}

#[tonic::async_trait]
impl PollerService for Service {
    type PollStream = Pin<Box<dyn Stream<Item = Result<PollResponse, Status>> + Send>>;

    async fn poll(
        &self,
        request: Request<PollRequest>,
    ) -> Result<Response<Self::PollStream>, Status> {
        let trigger = Trigger {
            kind: "grpc",
            deadline: deadline::of(request.metadata().as_ref()),
            ..Trigger::default()
        };
        let events = self.poller.start(request.get_ref(), &trigger)?;
        let stream = ReceiverStream::new(events).map(|event| event.map_err(Status::from));
        Ok(Response::new(Box::pin(stream)))
    }
}
