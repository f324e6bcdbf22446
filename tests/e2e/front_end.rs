//! What answers in a worker's place says nothing about a file.

use tonic::Code;

use crate::harness::{System, cut_short, front_end};

async fn nothing_moves(system: &System) {
    system.upload_all(&["a", "b"]);
    let _ = system.poll().await;
    assert_eq!(system.names(), ["incoming/a", "incoming/b"]);
}

#[tokio::test]
async fn pages_of_a_front_end_move_nothing() {
    let statuses = [500, 502, 503, 504, 429, 401, 403, 404, 400, 302];
    let all = statuses.map(|status| async move {
        let system = System::with_worker_at(front_end(status).await).await;
        nothing_moves(&system).await;
    });
    futures::future::join_all(all).await;
}

#[tokio::test]
async fn a_front_end_that_refuses_us_stops_the_poll_with_the_hint() {
    for (status, hint) in
        [(401, "roles/run.invoker"), (403, "roles/run.invoker"), (404, "WORKER_URL")]
    {
        let system = System::with_worker_at(front_end(status).await).await;
        // One alone may be the cause itself, but for a 401.
        system.upload("a", "x");
        system.upload("b", "x");
        system.poll_fails(Code::FailedPrecondition, hint).await;
    }
}

#[tokio::test]
async fn a_stream_cut_before_its_status_moves_nothing() {
    let system = System::with_worker_at(cut_short().await).await;
    nothing_moves(&system).await;
}
