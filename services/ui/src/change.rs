//! What the page changes: it replays, polls and takes files.

use std::time::Duration;

use axum::{
    body::Body,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use brigade_client::Events;
use brigade_proto::v1::{
    Place, PollFinished, PollRequest, ReplayObjectsRequest, ReplayObjectsResponse, poll_response,
    replay_objects_response::Event,
};
use futures::{Stream, StreamExt as _};
use tokio::time::timeout;
use tonic::{Code, Status};
use url::form_urlencoded;

use crate::{
    app::App,
    query::View,
    text,
    uploads::{self, UploadError},
};

/// A dry run counts so many objects.
const COUNTED: i64 = 10_000;
/// A poll that ends within this time is answered with its end.
const POLL_WAIT: Duration = Duration::from_secs(3);

/// Replays the names of the body, or what the filter of the address selects. Answers lines of JSON.
pub(crate) async fn replay(State(app): State<App>, body: String) -> Response {
    let request = match request(&body) {
        Ok(request) => request,
        Err(why) => return (StatusCode::BAD_REQUEST, why).into_response(),
    };
    match app.settings.inbox.replay(request).await {
        Ok(results) => {
            let lines = lines(results).take_until(app.shutdown.cancelled_owned());
            ([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response()
        }
        Err(status) => failed(&status),
    }
}

/// `dry_run=1`, and either `name=…` for each object or `filter=…`, the query of the page.
fn request(body: &str) -> Result<ReplayObjectsRequest, String> {
    let mut request = ReplayObjectsRequest::default();
    let mut filter = None;
    for (key, value) in form_urlencoded::parse(body.as_bytes()) {
        match &*key {
            "dry_run" => (request.dry_run, request.limit) = (true, COUNTED),
            "name" => request.names.push(value.into_owned()),
            "filter" => filter = Some(View::parse(&value)?.filter),
            other => return Err(format!("the page knows no field {other:?}")),
        }
    }
    match filter {
        Some(filter) if filter.is_empty() => request.all = true,
        Some(filter) => request.filter = Some(filter.of_place(Place::Failed)),
        None => {}
    }
    Ok(request)
}

/// How far it is, how it ended, and the objects that were not moved.
fn lines(
    results: impl Stream<Item = Result<ReplayObjectsResponse, Status>>,
) -> impl Stream<Item = Result<String, std::convert::Infallible>> {
    results.filter_map(async |result| {
        let value = match result.map(|response| response.event) {
            Ok(Some(Event::Progress(progress))) => serde_json::json!({ "progress": progress }),
            Ok(Some(Event::Finished(finished))) => serde_json::json!({ "finished": finished }),
            Ok(Some(Event::Object(object))) if !object.reason.is_empty() => {
                let name = object.object.as_ref().map(|info| text::escape(&info.path));
                serde_json::json!({ "left": { "name": name, "why": object.reason } })
            }
            Ok(_) => return None,
            Err(status) => serde_json::json!({ "error": status.message() }),
        };
        Some(Ok(format!("{value}\n")))
    })
}

/// Starts a poll, and says how it ended when it ends soon.
pub(crate) async fn poll(State(app): State<App>) -> Response {
    let mut events = match app.settings.poller.poll(PollRequest::default()).await {
        Ok(events) => events,
        Err(status) => return failed(&status),
    };
    // Its events must be read to the end: a poll whose caller leaves is cancelled.
    let running = tokio::spawn(async move {
        tokio::select! {
            ended = end(&mut events) => ended,
            () = app.shutdown.cancelled() => Ok(None),
        }
    });
    match timeout(POLL_WAIT, running).await {
        Ok(Ok(Ok(Some(finished)))) => text::ended(&finished).into_response(),
        Ok(Ok(Err(status))) => failed(&status),
        _ => "a poll runs; the tab Polls shows how it ends".into_response(),
    }
}

async fn end(events: &mut Events) -> Result<Option<PollFinished>, Status> {
    while let Some(response) = events.message().await? {
        if let Some(poll_response::Event::Finished(finished)) = response.event {
            return Ok(Some(finished));
        }
    }
    Ok(None)
}

/// Puts a file that was dropped onto the page into the inbox.
pub(crate) async fn upload(
    State(app): State<App>,
    Path(name): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Some(uploads) = &app.settings.uploads else {
        let why =
            "this page takes no files: brigade dev's does; fix: upload the file into the bucket";
        return (StatusCode::METHOD_NOT_ALLOWED, why).into_response();
    };
    let replaces = match &*query {
        [] => false,
        [(key, value)] if key == "replace" && value == "1" => true,
        _ => {
            return (StatusCode::BAD_REQUEST, "expected no parameter but replace=1")
                .into_response();
        }
    };
    let content_type =
        headers.get(CONTENT_TYPE).and_then(|given| given.to_str().ok()).unwrap_or("");
    let content = match uploads::receive(body).await {
        Ok(content) => content,
        Err(error) => {
            return (StatusCode::BAD_REQUEST, format!("{}: {error}", text::escape(&name)))
                .into_response();
        }
    };
    match uploads.upload(&name, content, content_type, replaces).await {
        Ok(()) => StatusCode::CREATED.into_response(),
        Err(UploadError::Exists) => StatusCode::CONFLICT.into_response(),
        Err(UploadError::Refused(why)) => (StatusCode::BAD_REQUEST, why).into_response(),
    }
}

fn failed(status: &Status) -> Response {
    let http = match status.code() {
        Code::InvalidArgument => StatusCode::BAD_REQUEST,
        Code::PermissionDenied | Code::Unauthenticated => StatusCode::FORBIDDEN,
        _ => StatusCode::BAD_GATEWAY,
    };
    (http, status.message().to_owned()).into_response()
}
