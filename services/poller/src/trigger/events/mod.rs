//! `POST /events`: a change in a bucket, sent by Pub/Sub or Eventarc.

mod cloud_event;
mod event;
mod form;
mod notification;
mod pubsub;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use brigade_runtime::{service::MAX_BODY, telemetry::LineLimit};

use self::event::Event;
use super::{
    answer::{again, logged, problem, refuse},
    caller,
};
use crate::{
    outcome::{Ignored, ObjectResult},
    poller::Poller,
    request::ON_THE_WAY,
};

/// Pub/Sub, and Eventarc through it, wait for an acknowledgement no longer than this. Source: Pub/Sub, "Subscription
/// properties", "Acknowledgment deadline".
const ACK_DEADLINE: Duration = Duration::from_mins(10);

pub(super) fn routes(poller: Poller) -> Router {
    let lines = LineLimit::new("more events were refused");
    let state = EventsState { poller, counts: Arc::default(), lines };
    Router::new()
        .route("/events", post(take))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(state)
}

#[derive(Clone)]
struct EventsState {
    poller: Poller,
    counts: Arc<Counts>,
    lines: LineLimit,
}

/// Events that were no work, since this instance started.
#[derive(Debug, Default)]
struct Counts {
    not_ours: AtomicU64,
    other_events: AtomicU64,
    filtered: AtomicU64,
    malformed: AtomicU64,
}

/// Takes one event. It is a storage notification in a Pub/Sub push, wrapped or not, or a `CloudEvent`, binary or
/// structured.
///
/// 204: the object has its outcome, was settled or replaced before, or is no work of ours (another bucket, prefix or kind
/// of event, or left out by a filter). 400: no event can be read of it. 413: it is longer than [`MAX_BODY`]. 503 with
/// `Retry-After`: send it again. 500: an operator has to fix something first, and the body says what.
async fn take(State(state): State<EventsState>, headers: HeaderMap, body: Bytes) -> Response {
    let mut trigger = caller::from_headers(&headers, "http");
    trigger.deadline = Some(ACK_DEADLINE.saturating_sub(ON_THE_WAY));
    let event = match form::read(&headers, &body, &mut trigger) {
        Ok(event) => event,
        Err(why) => {
            let so_far = count(&state.counts.malformed);
            if state.lines.allows() {
                tracing::warn!(
                    http.requestMethod = "POST", http.requestUrl = "/events", http.status = 400,
                    trigger = trigger.kind, name = %trigger.name, id = %trigger.id,
                    attempt = trigger.attempt, %why, so_far,
                    "refused an event that cannot be read"
                );
            }
            return logged(problem(StatusCode::BAD_REQUEST, &why));
        }
    };
    let span = tracing::info_span!(
        "delivery", trigger = trigger.kind, name = %trigger.name, id = %trigger.id,
        attempt = trigger.attempt, ordering_key = %trigger.ordering_key,
    );
    let named = match event {
        Event::Object(named) => named,
        Event::Other(kind) => {
            let (_entered, so_far) = (span.entered(), count(&state.counts.other_events));
            tracing::info!(%kind, so_far, "ignored: another kind of event");
            return acknowledged();
        }
    };
    let uri = named.uri();
    let ended = state.poller.process_object(named, trigger).await;
    let _entered = span.entered();
    match ended {
        Ok(ObjectResult::Settled(settled)) => {
            tracing::debug!(object = %uri, settlement = settled.settlement().as_str_name(), "acknowledged");
            acknowledged()
        }
        Ok(ObjectResult::Ignored(Ignored::Elsewhere)) => {
            let so_far = count(&state.counts.not_ours);
            tracing::info!(object = %uri, so_far, "ignored: not in this inbox");
            acknowledged()
        }
        Ok(ObjectResult::Ignored(Ignored::Filtered(skip))) => {
            let so_far = count(&state.counts.filtered);
            tracing::info!(
                object = %uri, filter = skip.filter.as_str_name(), detail = %skip.detail, so_far,
                "ignored: left out by a filter"
            );
            acknowledged()
        }
        Ok(ObjectResult::Retry { after, why }) => again(after, &why),
        Err(error) => {
            let response = refuse(&error);
            if state.lines.allows() {
                tracing::warn!(
                    http.requestMethod = "POST", http.requestUrl = "/events",
                    http.status = response.status().as_u16(),
                    object = %uri, %error, "not acknowledged"
                );
            }
            logged(response)
        }
    }
}

fn acknowledged() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

fn count(counter: &AtomicU64) -> u64 {
    counter.fetch_add(1, Ordering::Relaxed) + 1
}
