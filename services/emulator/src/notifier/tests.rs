use std::sync::atomic::{AtomicU16, Ordering};

use axum::{Json, Router, extract::State, http::HeaderMap, routing::post};
use tokio::{
    net::TcpListener,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};

use super::*;
use crate::Emulator;

const ACCOUNT: &str = "pubsub@brigade-dev.iam.gserviceaccount.com";

struct World {
    google: Emulator,
    pushes: UnboundedReceiver<(HeaderMap, Value)>,
    status: Arc<AtomicU16>,
    stop: CancellationToken,
}

type Told = (UnboundedSender<(HeaderMap, Value)>, Arc<AtomicU16>);

async fn take(
    State((pushes, status)): State<Told>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> StatusCode {
    pushes.send((headers, body)).unwrap();
    StatusCode::from_u16(status.load(Ordering::SeqCst)).unwrap()
}

async fn world(status: u16) -> World {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let google = Emulator::builder()
        .bucket("some-bucket")
        .service_account(ACCOUNT)
        .start(listener)
        .await
        .unwrap();
    let (sender, pushes) = unbounded_channel();
    let status = Arc::new(AtomicU16::new(status));
    let state = (sender, status.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/events", listener.local_addr().unwrap());
    let router = Router::new().route("/events", post(take)).with_state(state);
    tokio::spawn(async move { axum::serve(listener, router).await });
    let notifier = Notifier {
        bucket: "some-bucket".into(),
        subscription: "projects/p/subscriptions/s".into(),
        url: url.parse().unwrap(),
        account: ACCOUNT.into(),
        audience: "https://poller.example".into(),
        look_every: Duration::from_millis(5),
    };
    let stop = CancellationToken::new();
    let (storage, issuer) = (google.storage().clone(), google.identity().clone());
    tokio::spawn(notifier.run(storage, issuer, stop.clone()));
    World { google, pushes, status, stop }
}

#[tokio::test]
async fn each_generation_is_announced_once_with_a_token() {
    let mut world = world(204).await;
    let mut generations = Vec::new();
    for name in ["in/a é", "in/b"] {
        generations.push(world.google.storage().put(name, "x").unwrap());
        let (headers, push) = world.pushes.recv().await.unwrap();
        let attributes = &push["message"]["attributes"];
        assert_eq!(attributes["objectId"], name);
        assert_eq!(attributes["eventType"], "OBJECT_FINALIZE");
        assert_eq!(attributes["objectGeneration"], generations.last().unwrap().to_string());
        assert_eq!(push["subscription"], "projects/p/subscriptions/s");
        let token = headers["authorization"].to_str().unwrap().strip_prefix("Bearer ").unwrap();
        let claims = jsonwebtoken::dangerous::insecure_decode::<Value>(token).unwrap().claims;
        assert_eq!(
            (&claims["email"], &claims["aud"]),
            (&json!(ACCOUNT), &json!("https://poller.example"))
        );
    }
    let again = world.google.storage().put("in/b", "y").unwrap();
    let (_, push) = world.pushes.recv().await.unwrap();
    assert_eq!(push["message"]["attributes"]["objectGeneration"], again.to_string());
    world.stop.cancel();
    assert!(world.pushes.try_recv().is_err(), "nothing is announced twice");
}

#[tokio::test]
async fn what_is_not_acknowledged_comes_again_without_a_count_of_its_deliveries() {
    let mut world = world(503).await;
    world.google.storage().put("in/a", "x").unwrap();
    let (_, first) = world.pushes.recv().await.unwrap();
    world.status.store(200, Ordering::SeqCst);
    let (_, second) = world.pushes.recv().await.unwrap();
    assert!(
        !first.as_object().unwrap().contains_key("deliveryAttempt"),
        "there is no dead-letter policy"
    );
    assert_eq!(first["message"], second["message"]);
}
