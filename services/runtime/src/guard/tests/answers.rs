//! What a caller sees: on the wire, on every path.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Extension, Router,
    body::{Body, Bytes, to_bytes},
    http::{Method, Request, Response, StatusCode},
    routing::{get, post},
};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{
    Caller, Guarded,
    issuer::{CALLER, good, with_claims},
    keyserver::{Answer, KeyServer},
};
use crate::{
    guard::{Guard, GuardSettings},
    health,
    service::{MAX_BODY, guarded},
};

struct Service {
    router: Router,
    called: Arc<AtomicUsize>,
}

impl Service {
    async fn behind(guard: Arc<Guard>) -> Self {
        let called = Arc::new(AtomicUsize::new(0));
        let counter = called.clone();
        let email = async move |caller: Option<Extension<Caller>>| {
            counter.fetch_add(1, Ordering::SeqCst);
            caller.map_or_else(|| "none".to_owned(), |Extension(caller)| caller.email.to_string())
        };
        let routes = Router::new()
            .route("/poll", post(email.clone()))
            .route("/metrics", get(email.clone()))
            .route("/brigade.v1.PollerService/Poll", post(email));
        let health = health::routes("brigade.v1.PollerService").await;
        Self {
            router: guarded(routes.merge(health.guarded), guard).unwrap().merge(health.open),
            called,
        }
    }

    async fn start() -> Self {
        Self::behind(Guarded::start().await.guard).await
    }

    async fn call(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    fn calls(&self) -> usize {
        self.called.load(Ordering::SeqCst)
    }
}

fn post_to(path: &str) -> axum::http::request::Builder {
    Request::builder().method(Method::POST).uri(path)
}

fn http(token: Option<&str>) -> Request<Body> {
    with_token(post_to("/poll"), token)
}

fn grpc(path: &str, token: Option<&str>) -> Request<Body> {
    let request = post_to(path).header("content-type", "application/grpc");
    with_token(request, token)
}

fn with_token(mut request: axum::http::request::Builder, token: Option<&str>) -> Request<Body> {
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    request.body(Body::empty()).unwrap()
}

async fn json_of(response: Response<Body>) -> Value {
    serde_json::from_slice(&bytes_of(response).await).unwrap()
}

async fn bytes_of(response: Response<Body>) -> Bytes {
    to_bytes(response.into_body(), 64 * 1024).await.unwrap()
}

const POLL: &str = "/brigade.v1.PollerService/Poll";

fn other() -> String {
    with_claims(json!({ "email": "other@project.iam.gserviceaccount.com" }))
}

fn expired() -> String {
    with_claims(json!({ "exp": 1_000, "iat": 0 }))
}

#[tokio::test]
async fn a_handler_finds_its_caller() {
    let service = Service::start().await;
    for request in [http(Some(&good())), grpc(POLL, Some(&good()))] {
        let response = service.call(request).await;
        assert_eq!(bytes_of(response).await, CALLER);
    }
}

/// The whole of such answers is in a snapshot.
#[tokio::test]
async fn an_http_caller_who_is_refused_gets_a_status_and_the_check_that_failed() {
    let service = Service::start().await;
    for (token, status, check) in [
        (None, StatusCode::UNAUTHORIZED, "authorization"),
        (Some(expired()), StatusCode::UNAUTHORIZED, "exp"),
        (Some(other()), StatusCode::FORBIDDEN, "caller"),
    ] {
        let response = service.call(http(token.as_deref())).await;
        assert_eq!(response.status(), status);
        assert_eq!(response.headers().contains_key("www-authenticate"), status == 401);
        assert_eq!(json_of(response).await["check"], check);
    }
}

#[tokio::test]
async fn a_grpc_refusal_is_a_status_in_the_headers_of_a_200_without_a_body() {
    let service = Service::start().await;
    for (token, status) in [(None, "16"), (Some(expired()), "16"), (Some(other()), "7")] {
        let response = service.call(grpc(POLL, token.as_deref())).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "application/grpc");
        assert_eq!(response.headers()["grpc-status"], status);
        assert!(response.headers().contains_key("grpc-message"));
        assert!(bytes_of(response).await.is_empty());
    }
}

#[tokio::test]
async fn nobody_is_let_in_or_blamed_when_the_keys_cannot_be_had() {
    let keys = KeyServer::answering(Answer::Status(StatusCode::INTERNAL_SERVER_ERROR)).await;
    let service = Service::behind(Guarded::with(keys).guard).await;
    let response = service.call(http(Some(&good()))).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(json_of(response).await["check"], "jwks");
    let response = service.call(grpc(POLL, Some(&good()))).await;
    assert_eq!(response.headers()["grpc-status"], "14");
    assert_eq!(service.calls(), 0);
}

#[tokio::test]
async fn health_is_open_to_everybody() {
    let service = Service::start().await;
    for path in ["/health", "/healthz"] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        assert_eq!(service.call(request).await.status(), StatusCode::OK, "{path}");
    }
    // An empty message: the health of the whole server.
    let request =
        post_to("/grpc.health.v1.Health/Check").header("content-type", "application/grpc");
    let response = service.call(request.body(Body::from(&[0_u8; 5][..])).unwrap()).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(!response.headers().contains_key("grpc-status"), "{response:?}");
}

#[tokio::test]
async fn a_health_check_that_is_longer_than_a_name_is_refused() {
    let service = Service::start().await;
    // Five bytes that announce 4 MiB, and none of them.
    let prefix = [&[0][..], &(4_u32 << 20).to_be_bytes()].concat();
    let request =
        post_to("/grpc.health.v1.Health/Check").header("content-type", "application/grpc");
    let response = service.call(request.body(Body::from(prefix)).unwrap()).await;
    let status = response.headers()["grpc-status"].to_str().unwrap();
    // OUT_OF_RANGE is what tonic says of a message over its limit.
    assert_eq!(status, "11");
}

#[tokio::test]
async fn a_watch_of_the_health_is_a_call_like_any_other() {
    let service = Service::start().await;
    let request = post_to("/grpc.health.v1.Health/Watch")
        .header("content-type", "application/grpc")
        .header("authorization", format!("Bearer {}", good()))
        .body(Body::from(&[0_u8; 5][..]));
    let response = service.call(request.unwrap()).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(!response.headers().contains_key("grpc-status"));
}

#[tokio::test]
async fn every_other_path_is_closed_known_or_not() {
    let service = Service::start().await;
    // The last one has no path at all.
    let paths = "
        / /poll /poll/ //poll /POLL /./poll /x/../poll /%70oll /metrics
        /nothing /health/ //health /health/x /HEALTH /health%00 /health;x /health/../poll /healthy /healt
        /healthz/ //healthz /healthz/x /HEALTHZ /healthz%00 /healthz;x /healthz/../poll
        //brigade.v1.PollerService/Poll /brigade.v1.PollerService/ /brigade.v1.PollerService/Nothing
        /brigade.v1.pollerservice/poll /unknown.Service/Method
        /grpc.reflection.v1.ServerReflection/ServerReflectionInfo
        /grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo
        /grpc.health.v1.Health /grpc.health.v1.Health/ /grpc.health.v1.Health/Watch /grpc.health.v1.Health/check
        /grpc.health.v1.Health/Check/ /grpc.health.v1.Healthy/Check /grpc.health.v1.Health/../../poll/x/y
        http://elsewhere/poll http://elsewhere/healthz/ elsewhere:80
    ";
    for path in paths.split_whitespace().chain([POLL]) {
        for method in ["GET", "POST", "OPTIONS", "HEAD", "DELETE"] {
            let request = Request::builder().method(method).uri(path);
            let response = service.call(request.body(Body::empty()).unwrap()).await;
            let status = response.status();
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {path}");
        }
        let response = service.call(grpc(path, None)).await;
        let status = response.headers().get("grpc-status");
        assert!(status.is_some_and(|status| status == "16"), "gRPC {path}: {response:?}");
    }
    assert_eq!(service.calls(), 0);
}

/// RFC 6750 has two places for a token beside the header, and others have more: a token there admits no caller, however
/// good it is.
#[tokio::test]
async fn a_good_token_in_a_query_a_cookie_a_body_or_binary_metadata_lets_nobody_in() {
    let service = Service::start().await;
    let token = good();
    let bearer = format!("Bearer {token}");
    let encoded = BASE64_STANDARD.encode(&bearer);
    let form = "application/x-www-form-urlencoded";
    for path in ["/poll", POLL] {
        let elsewhere = [
            post_to(&format!("{path}?access_token={token}")).body(Body::empty()),
            post_to(&format!("{path}?authorization=Bearer%20{token}")).body(Body::empty()),
            post_to(path)
                .header("cookie", format!("access_token={token}; authorization={bearer}"))
                .body(Body::empty()),
            post_to(path).header("authorization-bin", &encoded).body(Body::empty()),
            post_to(path).header("authorization-bin", &bearer).body(Body::empty()),
            post_to(path)
                .header("content-type", form)
                .body(Body::from(format!("access_token={token}"))),
            post_to(path)
                .header("content-type", "application/json")
                .body(Body::from(json!({ "access_token": token }).to_string())),
        ];
        for request in elsewhere {
            let request = request.unwrap();
            let shown = format!("{request:?}");
            let answer = service.call(request).await.status();
            assert_eq!(answer, StatusCode::UNAUTHORIZED, "{shown}");
        }
    }
    let mut metadata = grpc(POLL, None);
    let encoded = encoded.parse().unwrap();
    metadata.headers_mut().insert("authorization-bin", encoded);
    *metadata.body_mut() = Body::from(token.clone());
    let answer = service.call(metadata).await;
    assert_eq!(answer.headers()["grpc-status"], "16");
    assert_eq!(service.calls(), 0);

    // It was good.
    let answer = service.call(http(Some(&token))).await;
    assert_eq!((answer.status(), service.calls()), (StatusCode::OK, 1));
}

#[tokio::test]
async fn a_caller_who_is_let_in_is_told_what_there_is_not() {
    let service = Service::start().await;
    let token = good();
    let request = Request::get("/nothing").header("authorization", format!("Bearer {token}"));
    let response = service.call(request.body(Body::empty()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    let response = service.call(grpc("/unknown.Service/Method", Some(&token))).await;
    assert_eq!(response.headers()["grpc-status"], "12");
}

#[tokio::test]
async fn a_refused_call_s_body_is_not_read() {
    let service = Service::start().await;
    let read = Arc::new(AtomicUsize::new(0));
    let counter = read.clone();
    // A message that says it has 4 MiB.
    let frames =
        tokio_stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(&[0, 0, 0x40, 0, 0]))]);
    let frames = tokio_stream::StreamExt::map(frames, move |frame| {
        counter.fetch_add(1, Ordering::SeqCst);
        frame
    });
    let request = post_to(POLL).header("content-type", "application/grpc");
    let response = service.call(request.body(Body::from_stream(frames)).unwrap()).await;
    assert_eq!(response.headers()["grpc-status"], "16");
    assert_eq!(read.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let service = Service::start().await;
    let mut request = http(Some(&good()));
    *request.body_mut() = Body::from(vec![b' '; MAX_BODY + 1]);
    let length = (MAX_BODY + 1).into();
    request.headers_mut().insert("content-length", length);
    let response = service.call(request).await;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(service.calls(), 0);
}

#[tokio::test]
async fn a_guard_that_is_off_lets_everybody_in_as_nobody() {
    let service = Service::behind(Arc::new(Guard::new(GuardSettings::off()).unwrap())).await;
    let response = service.call(http(Some("nonsense"))).await;
    assert_eq!(bytes_of(response).await, "none");
}

#[tokio::test]
async fn a_guard_that_could_let_nobody_in_or_trust_anybody_is_not_made() {
    let keys = KeyServer::start().await;
    let changes: [fn(&mut GuardSettings); 4] = [
        |settings| settings.audiences.clear(),
        |settings| settings.allowed_callers.clear(),
        |settings| settings.issuers.clear(),
        |settings| settings.jwks_url = "http://keys.example/certs".parse().unwrap(),
    ];
    for change in changes {
        let mut settings = super::settings(&keys);
        assert!(Guard::new(settings.clone()).is_ok());
        change(&mut settings);
        assert!(Guard::new(settings).is_err());
    }
}
