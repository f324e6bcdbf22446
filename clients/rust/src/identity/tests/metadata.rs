//! The metadata server, as it is and as it should not be.

use std::time::Duration;

use axum::{
    http::{StatusCode, header::HeaderMap},
    response::IntoResponse,
    routing::get,
};

use super::*;

const FLAVOR: (&str, &str) = ("metadata-flavor", "Google");
const PATH: &str = "/computeMetadata/v1/instance/service-accounts/default/identity";

fn answering<A: IntoResponse + Clone + Send + Sync + 'static>(answer: A) -> Router {
    Router::new().route(PATH, get(move || async move { answer }))
}

/// A byte a second, for ever.
fn drip() -> impl tokio_stream::Stream<Item = Result<&'static str, std::io::Error>> {
    let ticks =
        tokio_stream::wrappers::IntervalStream::new(tokio::time::interval(Duration::from_secs(1)));
    tokio_stream::StreamExt::map(ticks, |_| Ok("e"))
}

async fn metadata(router: Router) -> MetadataServer {
    MetadataServer::new(Some(&serving(router).await))
}

#[tokio::test]
async fn the_metadata_server_is_asked_in_its_own_way() {
    let router = Router::new().route(
        PATH,
        get(|headers: HeaderMap, uri: axum::http::Uri| async move {
            assert_eq!(headers["metadata-flavor"], "Google");
            let query = uri.query().unwrap();
            assert!(
                query.contains("format=full")
                    && query.contains("audience=https%3A%2F%2Fworker.example"),
                "{query}"
            );
            ([FLAVOR], good())
        }),
    );
    let token = metadata(router).await.fetch(AUDIENCE).await.unwrap();
    assert!(token.secret().starts_with("eyJ"));
}

#[tokio::test]
async fn an_answer_without_the_servers_mark_is_not_believed() {
    let error = metadata(answering(good()))
        .await
        .fetch(AUDIENCE)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("Metadata-Flavor"), "{error}");
    assert!(!error.is_transient());
}

#[tokio::test]
async fn what_is_no_usable_token_is_never_sent() {
    for (answer, why) in [
        ("<html>captive portal</html>".to_owned(), "not an ID token"),
        (String::new(), "not an ID token"),
        ("ya29.an-access-token".to_owned(), "not an ID token"),
        (token(AUDIENCE, now() - 10), "expired"),
        (
            token("https://other.example", now() + 3600),
            "another audience",
        ),
    ] {
        let error = metadata(answering(([FLAVOR], answer)))
            .await
            .fetch(AUDIENCE)
            .await
            .unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[tokio::test]
async fn a_refusal_says_what_it_means() {
    let error = metadata(answering(([FLAVOR], StatusCode::NOT_FOUND)))
        .await
        .fetch(AUDIENCE)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("no service account") && !error.is_transient(),
        "{error}"
    );
    let error = metadata(answering(([FLAVOR], StatusCode::SERVICE_UNAVAILABLE)))
        .await
        .fetch(AUDIENCE)
        .await
        .unwrap_err();
    assert!(error.is_transient(), "{error}");
}

#[tokio::test]
async fn a_named_server_that_is_away_heals_with_time() {
    let server = MetadataServer::new(Some(&closed().await));
    let error = server.fetch(AUDIENCE).await.unwrap_err();
    assert!(
        matches!(error, Error::Away { .. }) && error.is_transient(),
        "{error}"
    );
}

/// Time stands still but for timers, so what took longest is what the clock shows.
#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_fails_in_3_s_or_in_30_s_when_it_is_named() {
    let (_listening, host) = mute().await;
    for (named, limit) in [(false, 3), (true, 30)] {
        let began = tokio::time::Instant::now();
        let server = MetadataServer::at(&host, named);
        let error = server.fetch(AUDIENCE).await.unwrap_err();
        assert_eq!(began.elapsed().as_secs(), limit);
        assert!(
            error.to_string().contains("no answer in time") && error.is_transient(),
            "{error}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_drips_fails_within_three_seconds() {
    let slow = || async {
        let pieces = drip();
        ([FLAVOR], axum::body::Body::from_stream(pieces))
    };
    let host = serving(Router::new().route(PATH, get(slow))).await;
    let began = tokio::time::Instant::now();
    let server = MetadataServer::at(&host, false);
    let error = server.fetch(AUDIENCE).await.unwrap_err();
    assert!(
        began.elapsed() <= Duration::from_millis(3100),
        "{:?}",
        began.elapsed()
    );
    assert!(error.is_transient(), "{error}");
}

#[tokio::test]
async fn where_there_is_none_the_error_names_all_that_was_tried() {
    let absent = MetadataServer::at(&closed().await, false);
    let error = absent.fetch(AUDIENCE).await.unwrap_err();
    assert!(
        matches!(error, Error::NoSource { .. }) && !error.is_transient(),
        "{error}"
    );
    for tried in [
        "BRIGADE_IMPERSONATE",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "cannot be reached",
    ] {
        assert!(error.to_string().contains(tried), "{error}");
    }
}

#[tokio::test]
async fn an_answer_of_ten_megabytes_is_cut_and_refused() {
    let error = metadata(answering(([FLAVOR], "x".repeat(10 << 20))))
        .await
        .fetch(AUDIENCE)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("not an ID token"), "{error}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = axum::response::Redirect::temporary("http://127.0.0.1:1/");
    let router = Router::new().route(PATH, get(move || async move { ([FLAVOR], elsewhere) }));
    let error = metadata(router).await.fetch(AUDIENCE).await.unwrap_err();
    assert!(
        matches!(error, Error::Refused { status: 307, .. }),
        "{error}"
    );
}
