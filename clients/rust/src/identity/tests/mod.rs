//! The ways to a token, against small servers that answer as they should and as they should not.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    http::{StatusCode, header::HeaderMap},
    response::IntoResponse,
    routing::get,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;
use tokio::net::TcpListener;

use super::*;

const AUDIENCE: &str = "https://worker.example";
const FLAVOR: (&str, &str) = ("metadata-flavor", "Google");

/// Seconds since 1970.
fn now() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

/// A token that nobody signed; a caller cannot tell.
fn token(audience: &str, expires: u64) -> String {
    let encode = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!(
        "{}.{}.c2lnbmF0dXJl",
        encode(json!({"alg": "RS256"})),
        encode(json!({"aud": audience, "exp": expires}))
    )
}

fn good() -> String {
    token(AUDIENCE, now() + 3600)
}

async fn metadata(router: Router) -> MetadataServer {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, router).await });
    MetadataServer::new(Some(&host))
}

const PATH: &str = "/computeMetadata/v1/instance/service-accounts/default/identity";

fn answering<A: IntoResponse + Clone + Send + Sync + 'static>(answer: A) -> Router {
    Router::new().route(PATH, get(move || async move { answer }))
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
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    drop(listener);
    let error = MetadataServer::new(Some(&host))
        .fetch(AUDIENCE)
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::Away { .. }) && error.is_transient(),
        "{error}"
    );
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

#[test]
fn a_token_shows_itself_to_nobody() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let _inside = runtime.enter();
    let secret = good();
    let token = IdToken::parse(&secret, AUDIENCE, "test").unwrap();
    let shown = format!("{token:?} {token:#?}");
    assert!(!shown.contains(&secret[..20]), "{shown}");
    let error = IdToken::parse(&secret, "https://other", "test").unwrap_err();
    assert!(!format!("{error} {error:?}").contains(&secret[..20]));
}

/// Hands out tokens of a life, and counts.
#[derive(Debug, Default)]
struct Counting {
    fetched: AtomicUsize,
    broken: std::sync::atomic::AtomicBool,
    slow: bool,
}

#[async_trait]
impl TokenSource for Arc<Counting> {
    async fn fetch(&self, audience: &str) -> Result<IdToken, Error> {
        self.fetched.fetch_add(1, Ordering::SeqCst);
        if self.slow {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        if self.broken.load(Ordering::SeqCst) {
            return Err(Error::Away {
                source_name: "it".into(),
                why: "away".into(),
            });
        }
        IdToken::parse(&token(audience, now() + 3600), audience, "test")
    }

    fn describe(&self) -> String {
        "counting".into()
    }
}

fn cached(source: Counting) -> (Arc<Counting>, Arc<Cached<Arc<Counting>>>) {
    let source = Arc::new(source);
    (source.clone(), Arc::new(Cached::new(source)))
}

#[tokio::test(start_paused = true)]
async fn a_hundred_first_calls_cost_one_fetch() {
    let (source, cached) = cached(Counting {
        slow: true,
        ..Counting::default()
    });
    let calls = (0..100).map(|_| {
        let cached = cached.clone();
        tokio::spawn(async move { cached.fetch(AUDIENCE).await })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap().unwrap();
    }
    assert_eq!(source.fetched.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn each_audience_has_its_own_token() {
    let (source, cached) = cached(Counting::default());
    for audience in ["https://a", "https://b", "https://a"] {
        cached.fetch(audience).await.unwrap();
    }
    assert_eq!(source.fetched.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_renewed_before_it_ends_and_nobody_waits_for_it() {
    let (source, cached) = cached(Counting::default());
    cached.fetch(AUDIENCE).await.unwrap();
    tokio::time::advance(Duration::from_secs(3600 - 299)).await;
    cached.fetch(AUDIENCE).await.unwrap();
    tokio::task::yield_now().await;
    assert_eq!(source.fetched.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_fails_keeps_the_token_while_it_is_valid() {
    let (source, cached) = cached(Counting::default());
    let first = cached.fetch(AUDIENCE).await.unwrap();
    source.broken.store(true, Ordering::SeqCst);
    tokio::time::advance(Duration::from_secs(3600 - 120)).await;
    let second = cached.fetch(AUDIENCE).await.unwrap();
    assert_eq!(first.secret(), second.secret());
    tokio::time::advance(Duration::from_secs(115)).await;
    let error = cached.fetch(AUDIENCE).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_was_refused_is_fetched_anew_once() {
    let (source, cached) = cached(Counting::default());
    let refused = cached.fetch(AUDIENCE).await.unwrap();
    cached.forget(AUDIENCE, &refused);
    cached.fetch(AUDIENCE).await.unwrap();
    assert_eq!(source.fetched.load(Ordering::SeqCst), 2);
}

mod attaching {
    use std::convert::Infallible;

    use http::{Request, Response, header::AUTHORIZATION};
    use tower::{Layer as _, ServiceExt as _, service_fn};
    use url::Url;

    use super::*;
    use crate::identity::attach::AttachLayer;

    fn layer(url: &str) -> Result<AttachLayer, Error> {
        let (_, cached) = cached(Counting::default());
        AttachLayer::new(cached, &Url::parse(url).unwrap(), None)
    }

    #[tokio::test]
    async fn the_token_stands_in_both_headers_and_in_nothing_that_logs() {
        let echo = service_fn(async |request: Request<()>| {
            Ok::<_, Infallible>(Response::new(request.headers().clone()))
        });
        let service = layer("https://worker.example/a?b").unwrap().layer(echo);
        let request = Request::builder()
            .header(AUTHORIZATION, "Basic b2xk")
            .body(())
            .unwrap();
        let headers = service.oneshot(request).await.unwrap().into_body();
        let bearer = headers[AUTHORIZATION].to_str().unwrap();
        assert!(bearer.starts_with("Bearer eyJ"));
        assert_eq!(headers["x-serverless-authorization"], bearer);
        assert_eq!(headers.get_all(AUTHORIZATION).iter().count(), 1);
        assert!(
            !format!("{headers:?}").contains("eyJ"),
            "a header's Debug shows the token"
        );
    }

    #[test]
    fn a_token_is_not_sent_in_the_clear() {
        let error = layer("http://worker.example").unwrap_err();
        assert!(matches!(error, Error::NotConfidential(_)), "{error}");
        assert!(layer("http://127.0.0.1:8080").is_ok());
    }
}
