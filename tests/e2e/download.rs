//! What happens to an object while the worker downloads it.

use std::sync::Arc;

use brigade_emulator::storage::{Fault, Operation};
use brigade_proto::v1::Settlement;
use brigade_worker::Outcome;
use bytes::Bytes;
use futures::TryStreamExt as _;
use tokio::sync::Notify;

use crate::harness::{System, scripted};

/// The two moments that a test needs: the first bytes are there, and the reader may go on.
#[derive(Clone, Default)]
struct Moments {
    begun: Arc<Notify>,
    go_on: Arc<Notify>,
}

/// A worker that reads its object, and halts after the first bytes.
async fn reading(moments: Moments) -> System {
    System::with_processor(scripted(move |job| {
        let moments = moments.clone();
        Box::pin(async move {
            let mut chunks = job.read().await?;
            let first = chunks.try_next().await?.unwrap_or_default();
            moments.begun.notify_one();
            moments.go_on.notified().await;
            let rest: Vec<Bytes> = chunks.try_collect().await?;
            let all = [first.to_vec(), rest.concat()].concat();
            let whole = all == large("x").into_bytes();
            Ok(Outcome::summary(format!("whole: {whole}")))
        })
    }))
    .await
}

fn large(letter: &str) -> String {
    letter.repeat(3_000_000)
}

#[tokio::test]
async fn a_connection_that_is_cut_goes_on_and_the_object_is_processed() {
    let moments = Moments::default();
    let system = reading(moments.clone()).await;
    system.upload("a", &large("x"));
    let met = system.fault(Operation::Read, Fault::cut());
    moments.go_on.notify_one();
    let polled = system.poll().await.unwrap();
    assert_eq!(met.count(), 1);
    assert_eq!(polled.settled[0].summary, "whole: true", "{polled:?}");
    assert_eq!(system.names(), ["processed/a"]);
}

#[tokio::test]
async fn an_object_that_is_replaced_during_its_download_is_superseded_and_not_corrupt() {
    let moments = Moments::default();
    let system = reading(moments.clone()).await;
    system.upload("a", &large("x"));
    let _ = system.fault(Operation::Read, Fault::cut());
    let polling = system.poll();
    let replacing = async {
        moments.begun.notified().await;
        system.upload("a", &large("y"));
        moments.go_on.notify_one();
    };
    let (polled, ()) = futures::join!(polling, replacing);
    let settled = &polled.unwrap().settled[0];
    assert_eq!(settled.settlement(), Settlement::Superseded, "{settled:?}");
    assert!(!settled.reason.contains("CRC32C"), "{settled:?}");
    assert_eq!(system.names(), ["incoming/a"]);
    assert_eq!(system.content("incoming/a"), large("y"));
}
