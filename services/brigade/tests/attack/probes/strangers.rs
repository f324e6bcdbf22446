//! What a stranger could hold without a token, and whether it is in anybody's way.

use axum::{body::Bytes, http::StatusCode};

use super::Attacked;
use crate::{
    caller::Caller,
    service::{Service, within},
    wire::{END_HEADERS, END_STREAM, GET, HEADERS, Peer, SETTINGS, frame, literal},
};

const CHECK: &str = "/grpc.health.v1.Health/Check";

/// A thousand checks of the health whose message never comes. Those of others are answered.
pub(super) async fn open_checks(service: &Service) -> Attacked {
    let mut callers = Vec::new();
    for _ in 0..10 {
        let mut caller = Caller::connect(service.address).await;
        for _ in 0..100 {
            drop(caller.begin(CHECK, &[], Bytes::new(), false).await);
        }
        callers.push(caller);
    }
    for _ in 0..10 {
        let mut probe = Caller::connect(service.address).await;
        let whole = Bytes::from_static(&[0; 5]);
        let answer = probe.begin(CHECK, &[], whole, true).await;
        assert_eq!(within(answer).await.grpc_status(), "0");
        assert!(service.health().await.unwrap());
    }
    Attacked::calling(callers)
}

/// A thousand refusals for which there is no window. Those who are let in are answered.
pub(super) async fn no_window(service: &Service) -> Attacked {
    // `SETTINGS_INITIAL_WINDOW_SIZE`: 0.
    let closed = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
    let block = [&GET[..2], &literal(":path", "/process")].concat();
    let mut peers = Vec::new();
    for _ in 0..10 {
        let mut peer = Peer::connect(service.address).await.unwrap();
        peer.send(&closed).await;
        for number in 0..100 {
            let request = frame(HEADERS, END_STREAM | END_HEADERS, number * 2 + 1, &block);
            peer.send(&request).await;
        }
        let mut answered = 0;
        while answered < 100 {
            let frame = within(peer.next()).await.unwrap();
            answered += usize::from(frame.kind == HEADERS);
        }
        peers.push(peer);
    }
    let bearer = format!("Bearer {}", service.token());
    let mut caller = Caller::connect(service.address).await;
    let token = [("authorization", bearer.as_str())];
    let nonsense = Bytes::from_static(b"no json");
    let answer = caller.begin("/process", &token, nonsense, true).await;
    assert_eq!(within(answer).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    Attacked::open(peers, Vec::new())
}
