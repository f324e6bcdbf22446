//! Refusals whose bodies are under way, on a connection that others share.

use axum::body::Bytes;

use super::{Attacked, PROCESS};
use crate::{
    caller::Caller,
    service::{Service, within},
};

const REFUSED: usize = 3_000;
const AT_ONCE: usize = 90;

pub(super) async fn bodies(service: &Service) -> Attacked {
    let mut caller = Caller::connect(service.address).await;
    let bearer = format!("Bearer {}", service.token());
    let token = ("authorization", bearer.as_str());
    // A watch of the health lasts until its client ends it.
    let whole = Bytes::from_static(&[0; 5]);
    let watch = caller.begin("/grpc.health.v1.Health/Watch", &[token], whole, true).await;
    let watch = tokio::spawn(watch);
    let body = Bytes::from(vec![0; 20_000]);
    for _ in 0..REFUSED.div_ceil(AT_ONCE) {
        let mut answers = Vec::new();
        for _ in 0..AT_ONCE {
            answers.push(caller.begin(PROCESS, &[], body.clone(), true).await);
        }
        for answer in answers {
            assert_eq!(within(answer).await.grpc_status(), "16");
        }
    }
    assert!(!watch.is_finished(), "the good call has ended");
    watch.abort();
    Attacked::calling(vec![caller])
}
