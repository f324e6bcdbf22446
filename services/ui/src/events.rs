//! The event stream of a browser: what changed, at most once a second, and an event when nothing does.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::State,
    http::{HeaderName, StatusCode, header::RETRY_AFTER},
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
};
use futures::stream::{self, Stream};
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::{sleep, timeout},
};

use crate::{app::App, live::Changes};

/// The shortest time between two events.
const PAUSE: Duration = Duration::from_secs(1);
/// A proxy closes a stream that is silent for longer, and the page says that the connection is lost.
const ALIVE: Duration = Duration::from_secs(15);

struct Open {
    changes: watch::Receiver<Changes>,
    is_first: bool,
    _permit: OwnedSemaphorePermit,
}

/// Each event has the whole state, so a browser that missed one misses nothing.
pub(crate) async fn stream(State(app): State<App>) -> Response {
    let Ok(permit) = app.streams.clone().try_acquire_owned() else {
        let why = "too many browsers show this page; fix: close one of them";
        return (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "10")], why).into_response();
    };
    let open = Open { changes: app.live.changes(), is_first: true, _permit: permit };
    let unbuffered = (HeaderName::from_static("x-accel-buffering"), "no");
    ([unbuffered], Sse::new(until(events(open), app))).into_response()
}

/// A stream that is open would hold up the shutdown.
fn until(
    events: impl Stream<Item = Result<Event, Infallible>>,
    app: App,
) -> impl Stream<Item = Result<Event, Infallible>> {
    futures::StreamExt::take_until(events, app.shutdown.cancelled_owned())
}

fn events(open: Open) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(open, |mut open| async move {
        let event = if std::mem::take(&mut open.is_first) {
            Some(())
        } else {
            sleep(PAUSE).await;
            match timeout(ALIVE, open.changes.changed()).await {
                Ok(Ok(())) => Some(()),
                Ok(Err(_)) => return None,
                Err(_) => None,
            }
        };
        let event = match event {
            Some(()) => {
                let changes = open.changes.borrow_and_update().to_json();
                Event::default().event("changes").data(changes.to_string())
            }
            None => Event::default().event("alive").data("{}"),
        };
        Some((Ok(event), open))
    })
}
