//! The guard behind its own server, over real sockets.

use std::{future::pending, net::SocketAddr, time::Duration};

use axum::{Router, http::StatusCode, routing::post};
use reqwest::{Client, Response};
use tokio::{net::TcpListener, sync::Notify, task::JoinSet};

use super::{
    Guarded,
    issuer::{claims, good, header, merged, ours, stranger},
    keyserver::{Answer, KeyServer, later},
    *,
};
use crate::{
    health,
    serve::{Limits, serve},
    service::guarded,
};

const POLL: &str = "/brigade.v1.PollerService/Poll";
const GRPC: &str = "application/grpc";

struct Served {
    address: SocketAddr,
    keys: KeyServer,
}

impl Served {
    async fn start(keys: KeyServer, limits: Limits) -> Self {
        let guard = Guarded::with(keys.clone()).guard;
        let routes = Router::new().route("/poll", post(async || "done"));
        let routes = routes.route(POLL, post(async || ([("content-type", GRPC)], "done")));
        let health = health::routes("brigade.v1.PollerService").await;
        let app = guarded(routes.merge(health.guarded), guard).unwrap().merge(health.open);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, app, limits, pending()));
        Self { address, keys }
    }

    async fn post(&self, client: &Client, path: &str, kind: &str, token: &str) -> Response {
        let request = client.post(format!("http://{}{path}", self.address));
        request.header("content-type", kind).bearer_auth(token).send().await.unwrap()
    }
}

fn http1() -> Client {
    Client::builder().no_proxy().http1_only().build().unwrap()
}

fn http2() -> Client {
    Client::builder().no_proxy().http2_prior_knowledge().build().unwrap()
}

/// A token of a key that its issuer does not have.
fn unknown() -> String {
    stranger().sign(
        merged(header(), serde_json::json!({ "kid": "of-a-stranger" })).to_string(),
        claims().to_string(),
    )
}

#[tokio::test]
async fn a_token_of_40_kb_is_refused_by_the_guard_and_not_by_the_limit_of_headers() {
    let served = Served::start(KeyServer::start().await, Limits::default()).await;
    let long = "x".repeat(40_000);
    for client in [http1(), http2()] {
        let answer = served.post(&client, "/poll", "application/json", &long).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert!(answer.text().await.unwrap().contains("longer than 16 KiB"));
    }
    let answer = served.post(&http2(), POLL, GRPC, &long).await;
    assert_eq!(answer.headers()["grpc-status"], "16");
    assert_eq!(answer.headers()["brigade-guard"], "size");
}

/// The server asks for keys that do not come, and each unknown key has to wait for them.
#[tokio::test]
async fn calls_with_unknown_keys_leave_places_for_good_calls_while_the_key_server_hangs() {
    let limits = Limits { calls: 20, waiting_calls: 10, ..Limits::default() };
    let served = Served::start(KeyServer::start().await, limits).await;
    let client = http2();
    let answer = served.post(&client, "/poll", "", &good()).await;
    assert_eq!(answer.status(), StatusCode::OK);
    later(Duration::from_mins(1)).await;
    served.keys.answer(Answer::Nothing);
    let mut strangers = JoinSet::new();
    for _ in 0..40 {
        let request = http1().post(format!("http://{}/poll", served.address));
        strangers.spawn(request.bearer_auth(unknown()).send());
    }
    served.keys.asked().await;
    served.keys.asked().await;
    for _ in 0..20 {
        let answer = served.post(&client, "/poll", "", &good()).await;
        assert_eq!(answer.status(), StatusCode::OK);
    }
    for answer in strangers.join_all().await {
        assert_eq!(answer.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}

#[tokio::test]
async fn before_there_are_keys_a_few_connections_do_not_keep_another_one_from_waiting() {
    let told = Arc::new(Notify::new());
    let late = Answer::Late(told.clone(), vec![ours().jwk()]);
    let limits = Limits { calls: 300, waiting_calls: 150, ..Limits::default() };
    let served = Arc::new(Served::start(KeyServer::answering(late).await, limits).await);
    let mut strangers = JoinSet::new();
    for client in [http2(), http2(), http2()] {
        for _ in 0..100 {
            let (served, client) = (served.clone(), client.clone());
            strangers.spawn(async move {
                let answer = served.post(&client, "/poll", "", &unknown()).await;
                answer.headers()["brigade-guard"].to_str().unwrap().to_owned()
            });
        }
    }
    // Each connection has eight that wait, and one may have as many as are half of the limit.
    for _ in 0..300 - 75 - 3 * 8 {
        assert_eq!(strangers.join_next().await.unwrap().unwrap(), "waiting");
    }
    let mut good_calls = JoinSet::new();
    let client = http2();
    for _ in 0..5 {
        let (served, client) = (served.clone(), client.clone());
        good_calls.spawn(async move { served.post(&client, "/poll", "", &good()).await.status() });
    }
    let early = tokio::time::timeout(Duration::from_millis(300), good_calls.join_next()).await;
    assert!(early.is_err(), "{early:?}");
    told.notify_waiters();
    told.notify_one();
    assert_eq!(good_calls.join_all().await, [StatusCode::OK; 5]);
    for check in strangers.join_all().await {
        assert!(check == "key" || check == "waiting", "{check}");
    }
}

/// Cloud Scheduler, Pub/Sub and Eventarc take HTTP status 200 for success, whatever `grpc-status` is beside it.
#[tokio::test]
async fn no_caller_gets_200_from_a_path_of_another_protocol() {
    let served = Served::start(KeyServer::start().await, Limits::default()).await;
    let web = [
        "application/json",
        "application/octet-stream",
        "application/grpc-web+proto",
        "text/plain",
    ];
    for client in [http1(), http2()] {
        for path in [
            POLL,
            "/brigade.v1.PollerService/Nothing",
            "/grpc.health.v1.Health/Check",
            "/grpc.health.v1.Health/Watch",
        ] {
            for kind in web {
                let answer = served.post(&client, path, kind, &good()).await;
                assert_eq!(answer.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{path} {kind}");
            }
            let request = client.get(format!("http://{}{path}", served.address));
            let answer = request.bearer_auth(good()).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
            assert_eq!(answer.headers()["allow"], "POST");
        }
        for path in ["/poll", "/nothing"] {
            let answer = served.post(&client, path, GRPC, &good()).await;
            assert_eq!(answer.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{path}");
        }
        let answer = served.post(&client, "/poll", "application/json", &good()).await;
        assert_eq!(answer.status(), StatusCode::OK);
        // A stranger does not learn which paths there are.
        let answer = served.post(&client, POLL, "application/json", "x").await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    }
    let answer = served.post(&http2(), POLL, GRPC, &good()).await;
    assert_eq!(answer.text().await.unwrap(), "done");
}
