//! The metadata server, as it is and as it should not be.

use std::time::Duration;

use axum::{http::header::HeaderMap, response::IntoResponse, routing::get};

use super::*;

const FLAVOR: (&str, &str) = ("metadata-flavor", "Google");
const PATH: &str = "/computeMetadata/v1/instance/service-accounts/default/identity";

pub(super) fn answering<A: IntoResponse + Clone + Send + Sync + 'static>(answer: A) -> Router {
    Router::new().route(PATH, get(move || async move { answer }))
}

/// The same, with the server's mark.
pub(super) fn marked<A: IntoResponse + Clone + Send + Sync + 'static>(answer: A) -> Router {
    answering(([FLAVOR], answer))
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

/// Time stands still but for timers, so what took longest is what the clock shows.
#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_fails_in_3_s_or_in_30_s_when_it_is_named() {
    let (_listening, host) = mute().await;
    for (named, limit) in [(false, 3), (true, 30)] {
        let began = tokio::time::Instant::now();
        let server = MetadataServer::at(&host, named);
        let error = server.fetch(AUDIENCE).await.unwrap_err();
        assert_eq!(began.elapsed().as_secs(), limit);
        assert!(error.to_string().contains("no answer in time"), "{error}");
        assert!(error.is_transient(), "{error}");
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
    let took = began.elapsed();
    assert!(took <= Duration::from_millis(3100), "{took:?}");
    assert!(error.is_transient(), "{error}");
}
