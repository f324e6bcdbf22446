//! Ways to write a request that could lead around the guard, over a real socket.

use axum::http::{Request, Response};

use super::{
    wire::{END_HEADERS, END_STREAM, GET, HEADERS, PREFACE, SETTINGS, frame, literal},
    *,
};
use crate::{
    guard::{GOOGLE_ISSUERS, Guard, GuardSettings, Mode},
    health,
    service::guarded as behind_guard,
};

/// What must never be said to a stranger.
const WITHIN: &str = "within";

/// Behind a guard whose keys are never needed: a call without a token is refused before.
async fn guarded() -> Running {
    let guard = Guard::new(GuardSettings {
        mode: Mode::Verify,
        audiences: vec!["https://poller.example".to_owned()],
        allowed_callers: vec!["caller@project.iam.gserviceaccount.com".to_owned()],
        rights: Vec::new(),
        issuers: GOOGLE_ISSUERS.map(str::to_owned).to_vec(),
        jwks_url: "http://127.0.0.1:9/".parse().unwrap(),
    })
    .unwrap();
    let within = || axum::routing::any(async || WITHIN);
    let routes = Router::new()
        .route("/", within())
        .route("/poll", within())
        .route("/brigade.v1.PollerService/Poll", within());
    let health = health::routes("brigade.v1.PollerService").await;
    let app = behind_guard(routes.merge(health.guarded), Arc::new(guard)).unwrap();
    let app = app.merge(health.open);
    Running::start(app, Limits::default()).await
}

/// What comes back over HTTP/1.1 until the server closes.
async fn answer(server: &Running, request: &str) -> String {
    let mut stream = server.connect().await;
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    timeout(PATIENCE, read).await.expect("an end").unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// Each row is a test: its name, its status, and the head of a request over HTTP/1.1.
macro_rules! over_http_1 {
    ($($name:ident: $status:literal, $head:expr;)+) => { $(
        #[tokio::test]
        async fn $name() {
            let server = guarded().await;
            let request = format!("{}host: x\r\nconnection: close\r\n\r\n", $head);
            let answer = answer(&server, &request).await;
            let expected = format!("HTTP/1.1 {}", $status);
            assert!(answer.starts_with(&expected), "{answer}");
            assert!(!answer.contains(WITHIN), "{answer}");
        }
    )+ };
}

over_http_1! {
    a_plain_path_needs_a_token: 401, "GET /poll HTTP/1.1\r\n";
    an_absolute_uri: 401, "GET http://x/poll HTTP/1.1\r\n";
    an_absolute_uri_of_another_host: 401, "GET http://evil.example/poll HTTP/1.1\r\n";
    an_absolute_uri_that_ends_like_the_health_check: 401, "GET http://x/poll?/health HTTP/1.1\r\n";
    an_absolute_uri_whose_user_is_the_health_check: 401, "GET http://health@x/poll HTTP/1.1\r\n";
    an_absolute_uri_whose_path_begins_like_the_health_check: 401, "GET http://x/health@x/poll HTTP/1.1\r\n";
    an_absolute_uri_without_a_path: 401, "GET http://x HTTP/1.1\r\n";
    two_slashes: 401, "GET //poll HTTP/1.1\r\n";
    two_slashes_before_the_health_check: 401, "GET //health HTTP/1.1\r\n";
    two_slashes_and_a_host: 401, "GET //x/health HTTP/1.1\r\n";
    a_slash_after_the_health_check: 401, "GET /health/ HTTP/1.1\r\n";
    a_step_back_from_the_health_check: 401, "GET /health/../poll HTTP/1.1\r\n";
    an_escaped_step_back_from_the_health_check: 401, "GET /health%2f..%2fpoll HTTP/1.1\r\n";
    a_parameter_of_the_health_check: 401, "GET /health;/poll HTTP/1.1\r\n";
    the_old_health_check_with_a_slash_after_it: 401, "GET /healthz/ HTTP/1.1\r\n";
    a_fragment_after_the_health_check: 401, "GET /poll#/health HTTP/1.1\r\n";
    another_case_of_the_health_check: 401, "GET /Health HTTP/1.1\r\n";
    an_asterisk: 401, "OPTIONS * HTTP/1.1\r\n";
    a_tunnel: 401, "CONNECT x:80 HTTP/1.1\r\n";
    a_tunnel_to_ourselves: 401, "CONNECT 127.0.0.1:80 HTTP/1.1\r\n";
    headers_that_name_another_path: 401, "GET /poll HTTP/1.1\r\nx-original-url: /health\r\nx-rewrite-url: /health\r\n";
    a_grpc_method_over_http_1: 401, "POST /brigade.v1.PollerService/Poll HTTP/1.1\r\n";
}

/// The upgrade's own request, which is refused, or the connection would be the stranger's to go on with.
#[tokio::test]
async fn an_upgrade_to_http_2_is_not_performed() {
    let server = guarded().await;
    for path in ["/poll", "/health"] {
        let upgrade = format!(
            "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: upgrade, http2-settings, close\r\nupgrade: h2c\r\n\
             http2-settings: AAMAAABkAAQAAP__\r\n\r\n"
        );
        let answer = answer(&server, &upgrade).await;
        let expected = if path == "/poll" { "401" } else { "200" };
        assert!(answer.starts_with(&format!("HTTP/1.1 {expected}")), "{answer}");
        let lower = answer.to_ascii_lowercase();
        assert!(!lower.contains("upgrade"), "{answer}");
        assert_eq!(lower.matches("http/1.1 ").count(), 1, "{answer}");
    }
}

/// A client that goes on as though it had been: what it sends is no request.
#[tokio::test]
async fn what_follows_an_upgrade_is_not_read_as_http_2() {
    let server = guarded().await;
    let mut stream = server.connect().await;
    let request = [&GET[..2], &literal(":path", "/poll")].concat();
    let request = frame(HEADERS, END_STREAM | END_HEADERS, 1, &request);
    let after = [PREFACE, &frame(SETTINGS, 0, 0, &[]), &request].concat();
    let upgrade = b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\n\
        http2-settings: AAMAAABkAAQAAP__\r\n\r\n";
    stream.write_all(&[&upgrade[..], &after].concat()).await.unwrap();
    let mut answer = Vec::new();
    // A reset is an end too.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("an end");
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(!answer.contains("HTTP/1.1 101") && !answer.contains(WITHIN), "{answer}");
}

/// What gRPC is told at a path over HTTP/2.
async fn told(server: &Running, uri: &str) -> Response<()> {
    let (client, connection) = h2::client::handshake(server.connect().await).await.unwrap();
    tokio::spawn(connection);
    let mut client = client.ready().await.unwrap();
    let request =
        Request::post(uri).header("content-type", "application/grpc").header("te", "trailers");
    let (answer, _) = client.send_request(request.body(()).unwrap(), true).unwrap();
    let answer = timeout(PATIENCE, answer).await.expect("an answer");
    answer.unwrap().map(|body| assert!(body.is_end_stream(), "a refusal is headers alone"))
}

/// Each row is a test: its name, and what gRPC asks for over HTTP/2.
macro_rules! over_http_2 {
    ($($name:ident: $uri:literal;)+) => { $(
        #[tokio::test]
        async fn $name() {
            let answer = told(&guarded().await, $uri).await;
            assert_eq!(answer.status(), StatusCode::OK);
            assert_eq!(answer.headers()["grpc-status"], "16", "{answer:?}");
        }
    )+ };
}

over_http_2! {
    a_grpc_method_needs_a_token: "http://x/brigade.v1.PollerService/Poll";
    a_grpc_method_of_another_host: "http://evil.example/brigade.v1.PollerService/Poll";
    a_grpc_method_over_another_scheme: "https://x/brigade.v1.PollerService/Poll";
    a_grpc_method_and_a_slash: "http://x/brigade.v1.PollerService/Poll/";
    two_slashes_and_a_grpc_method: "http://x//brigade.v1.PollerService/Poll";
    a_grpc_method_after_two_slashes: "http://x/brigade.v1.PollerService//Poll";
    a_grpc_method_in_lower_case: "http://x/brigade.v1.pollerservice/poll";
    a_grpc_method_that_is_escaped: "http://x/brigade.v1.PollerService/%50oll";
    a_grpc_method_with_a_query: "http://x/brigade.v1.PollerService/Poll?/grpc.health.v1.Health/Check";
    a_grpc_method_that_is_not_there: "http://x/brigade.v1.PollerService/Nothing";
    a_grpc_service_that_is_not_there: "http://x/pkg.Svc/Method";
    a_grpc_service_that_is_not_there_and_a_slash: "http://x/pkg.Svc/Method/";
    the_check_of_the_health_and_a_slash: "http://x/grpc.health.v1.Health/Check/";
    two_slashes_and_the_check_of_the_health: "http://x//grpc.health.v1.Health/Check";
    a_step_back_from_the_check_of_the_health: "http://x/grpc.health.v1.Health/Check/../../../brigade.v1.PollerService/Poll";
    the_watch_of_the_health: "http://x/grpc.health.v1.Health/Watch";
    reflection_of_what_there_is: "http://x/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
}
