//! `POST /poll`, for callers that speak no gRPC: Cloud Scheduler, Cloud Tasks, curl.

use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use brigade_proto::v1::{PollFinished, PollRequest, poll_response::Event};
use brigade_telemetry::FlushAtEnd;

use super::{
    answer::{problem, refuse},
    caller,
    grpc::UNFINISHED,
};
use crate::{error::PollError, poller::Poller, report::Events, request::Trigger};

/// Polls once and answers the summary. 200: `PollFinished` as proto3 JSON; a poll that found another at work is one too. 400:
/// the body is no `PollRequest`. 503 with `Retry-After`: the worker or the storage did not answer. 500: an operator has to
/// fix something first, and the body says what; or the poll broke off with no summary.
pub(super) async fn poll(
    State(poller): State<Poller>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = match parse(&body) {
        Ok(request) => request,
        Err(why) => return problem(StatusCode::BAD_REQUEST, &why),
    };
    let trigger = Trigger { summary_only: true, ..caller::from_headers(&headers, "http") };
    match poller.start(&request, &trigger) {
        Ok(events) => answer(events).await,
        Err(error) => refuse(&error),
    }
}

/// Waits for the end of the poll.
async fn answer(events: Events) -> Response {
    let mut response = match finished(events).await {
        Ok(Some(summary)) => Json(summary).into_response(),
        Ok(None) => problem(StatusCode::INTERNAL_SERVER_ERROR, UNFINISHED),
        Err(error) => refuse(&error),
    };
    response.extensions_mut().insert(FlushAtEnd);
    response
}

/// An empty body scans the whole inbox.
fn parse(body: &[u8]) -> Result<PollRequest, String> {
    if body.trim_ascii().is_empty() {
        return Ok(PollRequest::default());
    }
    serde_json::from_slice(body)
        .map_err(|error| format!("the body is not a PollRequest in proto3 JSON: {error}"))
}

/// The summary, if the poll got to it.
async fn finished(mut events: Events) -> Result<Option<PollFinished>, PollError> {
    let mut summary = None;
    while let Some(event) = events.recv().await {
        if let Some(Event::Finished(finished)) = event?.event {
            summary = Some(finished);
        }
    }
    Ok(summary)
}

#[cfg(test)]
mod tests {
    use brigade_proto::v1::{PollResponse, PollStarted};
    use tokio::sync::mpsc;

    use super::*;

    async fn status_after(events: Vec<Event>) -> StatusCode {
        let (sender, listener) = mpsc::channel(8);
        for event in events {
            let event = Some(event);
            sender.send(Ok(PollResponse { event })).await.unwrap();
        }
        drop(sender);
        answer(listener).await.status()
    }

    #[tokio::test]
    async fn a_poll_that_breaks_off_without_a_summary_is_no_success() {
        let started = || Event::Started(PollStarted::default());
        let finished = Event::Finished(PollFinished::default());
        for broken_off in [vec![], vec![started()]] {
            assert_eq!(status_after(broken_off).await, 500);
        }
        assert_eq!(status_after(vec![started(), finished]).await, 200);
    }
}
