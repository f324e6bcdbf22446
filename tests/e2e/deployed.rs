//! The deployed shape: a front end like Cloud Run's between the poller and the worker.

use brigade_emulator::frontend::{Fault, Service};
use brigade_proto::v1::Settlement;
use http::StatusCode;
use tonic::Code;

use crate::harness::{POLLER, STRANGER, System};

/// A worker that the poller may call.
async fn system() -> System {
    System::behind_front_end(|service| service.invoker(POLLER)).await
}

/// Polls, and these files are processed, and no other.
async fn processes(system: &System, names: &[&str]) {
    let settled = names.iter().map(|name| (*name, Settlement::Processed));
    system.poll_settles(&settled.collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn the_workers_guard_verifies_the_header_that_the_front_end_leaves_alone() {
    let system = system().await;
    system.upload_all(&["a", "b"]);
    processes(&system, &["a", "b"]).await;
    assert_eq!(system.names(), ["processed/a", "processed/b"]);
}

/// Two objects stay where they are, and the poll ends with an error that has the fix.
async fn stops(system: &System, hint: &str) {
    system.upload_all(&["a", "b"]);
    system.poll_fails(Code::FailedPrecondition, hint).await;
    assert_eq!(system.names(), ["incoming/a", "incoming/b"]);
}

#[tokio::test]
async fn a_poller_that_is_no_invoker_stops_and_moves_nothing() {
    let system = System::behind_front_end(|service| service.invoker(STRANGER)).await;
    stops(&system, "roles/run.invoker").await;
}

#[tokio::test]
async fn a_token_that_the_front_end_cannot_verify_stops_the_poll_and_moves_nothing() {
    let system = system().await;
    let every = Fault::page(StatusCode::UNAUTHORIZED).times(u64::MAX);
    system.front().fault(every);
    stops(&system, "roles/run.invoker").await;
}

#[tokio::test]
async fn a_token_that_is_refused_once_is_renewed_and_the_file_processed() {
    let system = system().await;
    let met = system.front().fault(Fault::page(StatusCode::UNAUTHORIZED));
    system.upload("a", "x");
    processes(&system, &["a"]).await;
    assert_eq!(met.count(), 1);
}

#[tokio::test]
async fn a_url_of_no_service_stops_the_poll_and_moves_nothing() {
    let system = system().await;
    let every = Fault::page(StatusCode::NOT_FOUND).times(u64::MAX);
    system.front().fault(every);
    stops(&system, "WORKER_URL").await;
}

// Four systems at once: none may keep another from answering in time.
#[tokio::test(flavor = "multi_thread")]
async fn pages_about_load_and_outages_move_nothing_and_are_no_attempts() {
    let all = [429, 500, 502, 503].map(|status| async move {
        let system = system().await;
        let page = Fault::page(StatusCode::from_u16(status).unwrap());
        system.front().fault(page.times(1_000));
        system.upload("a", "x");
        match system.poll().await {
            Ok(polled) => assert_eq!(polled.outcomes(), [("incoming/a".into(), Settlement::Retry)]),
            // The breaker ended the poll; the wiring is not blamed.
            Err(error) => assert_eq!(error.code(), Code::Unavailable, "{status}: {error}"),
        }
        assert_eq!(system.names(), ["incoming/a"], "{status}");
        let metadata = system.metadata_of("incoming/a").await;
        assert_eq!(metadata.get("brigade-attempts"), None, "{status}");
    });
    futures::future::join_all(all).await;
}

// Four systems at once: none may keep another from answering in time.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_in_between_costs_no_file_and_no_second_poll() {
    let all = [429, 500, 502, 503].map(|status| async move {
        let system = system().await;
        let page = Fault::page(StatusCode::from_u16(status).unwrap());
        let met = system.front().fault(page);
        system.upload("a", "x");
        processes(&system, &["a"]).await;
        assert_eq!(met.count(), 1, "{status}");
    });
    futures::future::join_all(all).await;
}

#[tokio::test]
async fn a_stream_cut_before_its_trailers_is_called_again() {
    let system = system().await;
    let met = system.front().fault(Fault::cut());
    system.upload("a", "x");
    processes(&system, &["a"]).await;
    assert_eq!(met.count(), 1);

    system.front().fault(Fault::cut().times(1_000));
    system.upload("b", "x");
    let _ = system.poll().await;
    assert_eq!(system.names(), ["incoming/b", "processed/a"]);
}

#[tokio::test]
async fn a_container_that_is_gone_is_not_the_files_fault() {
    // Bound, so that no other test gets the port, and nothing listens on it.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let closed = socket.local_addr().unwrap();
    let system = System::behind_front_end(|_| Service::new("worker", closed).invoker(POLLER)).await;
    system.upload("a", "x");
    let _ = system.poll().await;
    assert_eq!(system.names(), ["incoming/a"]);
}

#[tokio::test]
async fn tokens_and_keys_outlive_the_identity_part() {
    let system = system().await;
    let client = system.client();
    system.upload("a", "x");
    system.poll_by(&client).await.unwrap();
    system.emulator.identity().kill();
    system.poll().await.unwrap_err();
    system.upload("b", "x");
    system.poll_by(&client).await.unwrap();
    assert_eq!(system.names(), ["processed/a", "processed/b"]);
    system.emulator.identity().revive();
    system.poll().await.unwrap();
}
