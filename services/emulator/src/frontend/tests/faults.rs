//! Injected faults.

use std::time::Duration;

use http::StatusCode;
use http_body_util::BodyExt as _;

use super::{
    super::Fault,
    container::{data, frames, trailers},
    *,
};

#[tokio::test]
async fn the_next_calls_get_a_page_and_the_container_hears_nothing() {
    let shape = private().await;
    let met = shape.front.fault(Fault::page(StatusCode::BAD_GATEWAY).times(2));
    let bearer = shape.bearer(POLLER);
    for _ in 0..2 {
        let answer = shape.get(&[("authorization", &bearer)]).await;
        assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
        let body = answer.text().await.unwrap();
        assert!(body.contains("<title>502 Bad Gateway</title>"), "{body}");
    }
    assert!(shape.container.heard().is_none());
    shape.heard(&[("authorization", &bearer)]).await;
    assert_eq!(met.count(), 2);
}

#[tokio::test]
async fn a_cut_answer_has_its_messages_and_not_its_trailers() {
    let shape = private().await;
    shape.front.fault(Fault::cut());
    let (sender, body) = frames();
    let mut response = shape.send(body).await.unwrap();
    sender.send(Ok(data("one"))).unwrap();
    sender.send(Ok(trailers("0"))).unwrap();
    let frame = response.frame().await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "one");
    response.frame().await.unwrap().unwrap_err();
}

#[tokio::test]
async fn a_cut_answer_over_http1_does_not_look_whole() {
    let shape = private().await;
    shape.front.fault(Fault::cut());
    let bearer = shape.bearer(POLLER);
    let answer = shape.get(&[("authorization", &bearer)]).await;
    assert_eq!(answer.status(), StatusCode::OK);
    answer.bytes().await.unwrap_err();
}

#[tokio::test]
async fn a_delayed_call_takes_as_long() {
    let shape = private().await;
    shape.front.fault(Fault::delay(Duration::from_millis(50)));
    let bearer = shape.bearer(POLLER);
    let began = std::time::Instant::now();
    shape.heard(&[("authorization", &bearer)]).await;
    assert!(began.elapsed() >= Duration::from_millis(50));
}
