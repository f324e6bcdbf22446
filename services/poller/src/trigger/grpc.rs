//! The `Poll` RPC.

use std::{future::ready, pin::Pin};

use axum::Router;
use brigade_proto::{
    MAX_MESSAGE,
    v1::{
        PollRequest, PollResponse,
        poll_response::Event,
        poller_service_server::{PollerService, PollerServiceServer},
    },
};
use brigade_runtime::deadline;
use brigade_telemetry::FlushAtEnd;
use futures::{Stream, StreamExt as _, stream};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::{poller::Poller, report::Events, request::Trigger};

/// The error of a poll whose events end with neither a summary nor an error.
pub(super) const UNFINISHED: &str = "the poll ended without a summary: it failed internally, or its caller read no \
    events for 10 s; the log says which. Objects that it did not settle are unchanged, for the next poll";

/// The gRPC service's routes.
pub(super) fn routes(poller: Poller) -> Router {
    let service =
        PollerServiceServer::new(Service { poller }).max_decoding_message_size(MAX_MESSAGE);
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
            deadline: deadline::from_headers(request.metadata().as_ref()),
            ..Trigger::default()
        };
        let events = self.poller.start(request.get_ref(), &trigger)?;
        let mut response: Response<Self::PollStream> = Response::new(Box::pin(to_stream(events)));
        response.extensions_mut().insert(FlushAtEnd);
        Ok(response)
    }
}

/// The events, and INTERNAL after them if they end with neither a summary nor an error.
fn to_stream(events: Events) -> impl Stream<Item = Result<PollResponse, Status>> + Send {
    ReceiverStream::new(events)
        .map(|event| event.map_err(Status::from))
        .chain(stream::iter([Err(Status::internal(UNFINISHED))]))
        .scan(false, |ended, event| {
            if *ended {
                return ready(None);
            }
            *ended = match &event {
                Ok(response) => matches!(response.event, Some(Event::Finished(_))),
                Err(_) => true,
            };
            ready(Some(event))
        })
}

#[cfg(test)]
mod tests {
    use brigade_proto::v1::{PollFinished, PollStarted};
    use tokio::sync::mpsc;
    use tonic::Code;

    use super::*;
    use crate::error::PollError;

    /// The code of each item of the stream.
    async fn codes_of(events: Vec<Result<Event, PollError>>) -> Vec<Code> {
        let (sender, listener) = mpsc::channel(8);
        for event in events {
            let event = event.map(|event| PollResponse { event: Some(event) });
            sender.send(event).await.unwrap();
        }
        drop(sender);
        let code = |item: Result<_, Status>| item.map_or_else(|status| status.code(), |_| Code::Ok);
        to_stream(listener).map(code).collect().await
    }

    #[tokio::test]
    async fn a_stream_that_breaks_off_without_a_summary_ends_with_internal() {
        let started = || Ok(Event::Started(PollStarted::default()));
        let finished = Ok(Event::Finished(PollFinished::default()));
        let away = Err(PollError::WorkerAway { failures: 5, last: "refused".into() });
        for (events, codes) in [
            (vec![], vec![Code::Internal]),
            (vec![started()], vec![Code::Ok, Code::Internal]),
            (vec![started(), finished], vec![Code::Ok, Code::Ok]),
            (vec![started(), away], vec![Code::Ok, Code::Unavailable]),
        ] {
            assert_eq!(codes_of(events).await, codes);
        }
    }
}
