//! The routes of the page, each behind the checks of [`Access`].

use std::time::Duration;

use axum::{
    Router,
    extract::{Query, RawQuery, Request, State},
    http::{
        HeaderName, HeaderValue, Method, StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION,
            REFERRER_POLICY, SET_COOKIE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
        },
    },
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use brigade_proto::v1::{GetObjectRequest, GetStatusRequest, ObjectFilter};
use futures::{StreamExt as _, stream};
use tokio::time::timeout;
use tonic::{Code, Status, Streaming};
use url::form_urlencoded;

use crate::{
    access::{Access, Refused},
    app::App,
    change, csv, events, listing,
    query::{Tab, View},
    view::{self, Content, Header},
};

/// A page is shown without its header when the poller takes longer to count; the header follows.
const COUNTING: Duration = Duration::from_secs(2);

const SECURITY: [(HeaderName, &str); 7] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
         frame-ancestors 'none'; base-uri 'none'",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

pub(crate) fn router(app: App) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/object", get(object))
        .route("/header", get(header))
        .route("/failed.csv", get(failed_csv))
        .route("/events", get(events::stream))
        .route("/replay", post(change::replay))
        .route("/poll", post(change::poll))
        .route("/upload/{*name}", put(change::upload))
        .route("/style.css", get(|| asset("text/css", include_str!("style.css"))))
        .route("/page.js", get(|| asset("text/javascript", include_str!("page.js"))))
        .route("/favicon.ico", get(|| async { StatusCode::NO_CONTENT }))
        .fallback(|| async { (StatusCode::NOT_FOUND, "there is no such page; fix: go to /") })
        .layer(middleware::from_fn_with_state(app.clone(), check))
        .with_state(app)
}

/// The checks in their order. What is refused says why, as text.
async fn check(State(app): State<App>, request: Request, next: Next) -> Response {
    let mut response = match allowed(&app.access, &request) {
        Ok(None) => next.run(request).await,
        Ok(Some(opened)) => opened,
        Err(Refused(status, why)) => (status, why).into_response(),
    };
    for (name, value) in SECURITY {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The answer, when the request is for the printed address.
fn allowed(access: &Access, request: &Request) -> Result<Option<Response>, Refused> {
    let headers = request.headers();
    access.check_site(request.uri(), headers)?;
    if request.uri().path() == "/open" && request.method() == Method::GET {
        let query = request.uri().query().unwrap_or_default();
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        let key = pairs.find(|(name, _)| name == "key").map(|(_, key)| key).unwrap_or_default();
        if let Some(cookie) = access.open(&key) {
            let headers = [(LOCATION, "/".to_owned()), (SET_COOKIE, cookie)];
            return Ok(Some((StatusCode::SEE_OTHER, headers).into_response()));
        }
        // The same person may follow it twice.
        access.check_cookie(headers)?;
        return Ok(Some((StatusCode::SEE_OTHER, [(LOCATION, "/")]).into_response()));
    }
    access.check_cookie(headers)?;
    access.check_token(request.method(), headers)?;
    Ok(None)
}

fn asset(content_type: &'static str, content: &'static str) -> impl Future<Output = Response> {
    std::future::ready(([(CONTENT_TYPE, content_type)], content).into_response())
}

async fn index(State(app): State<App>, RawQuery(query): RawQuery) -> Response {
    let view = match View::parse(&query.unwrap_or_default()) {
        Ok(view) => view,
        Err(why) => return problem(&app, StatusCode::BAD_REQUEST, &why),
    };
    // Compared with later events: what changes while the lists are read counts as new.
    let changes = app.live.changes().borrow().clone();
    let (header, content) = tokio::join!(timeout(COUNTING, status(&app)), content(&app, &view));
    let header = header.unwrap_or(Header::Counting);
    view::page(&app.frame(), &changes, &view, &header, &content).into_response()
}

async fn content(app: &App, view: &View) -> Content {
    let inbox = &app.settings.inbox;
    let Some(filter) = view.objects() else {
        return match view.tab {
            Tab::Flight => Content::Flights(app.live.flights()),
            _ => Content::Polls(app.live.polls()),
        };
    };
    let content = if view.tab == Tab::Failed && !view.is_open {
        listing::groups(inbox, filter).await.map(Content::Groups)
    } else {
        listing::rows(inbox, filter, view.page.clone()).await.map(Content::Rows)
    };
    content.unwrap_or_else(Content::Error)
}

async fn header(State(app): State<App>) -> Response {
    view::header(&app.frame(), &status(&app).await).into_response()
}

async fn status(app: &App) -> Header {
    match app.settings.inbox.status(GetStatusRequest::default()).await {
        Ok(status) => Header::Status(Box::new(status)),
        Err(status) => Header::Error(status),
    }
}

async fn object(State(app): State<App>, query: Query<Vec<(String, String)>>) -> Response {
    let name = match &*query.0 {
        [(key, name)] if key == "name" => name.clone(),
        _ => return problem(&app, StatusCode::BAD_REQUEST, "expected one parameter, name"),
    };
    let request = GetObjectRequest { name, ..GetObjectRequest::default() };
    match app.settings.inbox.object(request).await {
        Ok(found) => view::object(&app.frame(), &found).into_response(),
        Err(status) => {
            let http = match status.code() {
                Code::NotFound => StatusCode::NOT_FOUND,
                Code::InvalidArgument => StatusCode::BAD_REQUEST,
                _ => StatusCode::BAD_GATEWAY,
            };
            problem(&app, http, status.message())
        }
    }
}

fn problem(app: &App, status: StatusCode, why: &str) -> Response {
    (status, view::problem(&app.frame(), why)).into_response()
}

/// All failed objects of the filter, as they are listed. A listing that breaks off breaks off the download.
async fn failed_csv(State(app): State<App>, RawQuery(query): RawQuery) -> Response {
    let filter = match View::parse(&query.unwrap_or_default()) {
        Ok(view) => view.filter.of_place(brigade_proto::v1::Place::Failed),
        Err(why) => return problem(&app, StatusCode::BAD_REQUEST, &why),
    };
    match list(&app, filter).await {
        Ok(listed) => {
            let headers = [
                (CONTENT_TYPE, "text/csv; charset=utf-8"),
                (CONTENT_DISPOSITION, "attachment; filename=\"failed.csv\""),
            ];
            (headers, axum::body::Body::from_stream(lines(listed))).into_response()
        }
        Err(status) => problem(&app, StatusCode::BAD_GATEWAY, status.message()),
    }
}

type Listed = Streaming<brigade_proto::v1::ListObjectsResponse>;

async fn list(app: &App, filter: ObjectFilter) -> Result<Listed, Status> {
    let request =
        brigade_proto::v1::ListObjectsRequest { filter: Some(filter), ..Default::default() };
    app.settings.inbox.list(request).await
}

fn lines(listed: Listed) -> impl futures::Stream<Item = Result<String, Status>> {
    let heading = stream::once(async { Ok(csv::record(csv::FIELDS) + "\n") });
    heading.chain(listed.map(|response| {
        let objects = response?.objects;
        Ok(objects.iter().map(|info| csv::record(csv::fields(info)) + "\n").collect::<String>())
    }))
}
