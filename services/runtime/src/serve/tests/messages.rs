//! Every message of the server that a person can meet, in snapshots.

use std::fmt::Write as _;

use super::*;
use crate::{exit::Failure, readiness::ReadinessGate};

/// What a server answers on a connection of its own, without its date.
async fn answer(server: &Running, path: &str, grpc: bool) -> String {
    let kind = if grpc { "application/grpc" } else { "text/plain" };
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: {kind}\r\ncontent-length: 9\r\n\r\n"
    );
    let request = if path == "/health" {
        request.replace("POST", "GET").replace("content-length: 9\r\n", "")
    } else {
        request
    };
    let mut stream = server.connect().await;
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let lines = answer.lines().filter(|line| !line.starts_with("date: "));
    lines.collect::<Vec<_>>().join("\n")
}

async fn both(text: &mut String, case: &str, server: &Running, path: &str) {
    for grpc in [false, true] {
        let protocol = if grpc { "gRPC" } else { "HTTP" };
        writeln!(text, "=== {case}, {protocol}\n{}\n", answer(server, path, grpc).await).unwrap();
    }
}

#[tokio::test]
async fn answers_of_the_server_itself() {
    let mut text = String::new();
    let none = Limits { calls: 0, ..Limits::default() };
    let server = Running::start(hello(), none).await;
    both(&mut text, "too many calls", &server, "/").await;

    let soon = Limits { body_time: Duration::from_millis(50), ..Limits::default() };
    let reading = Router::new()
        .route("/", axum::routing::post(async |_: axum::body::Bytes| ()))
        .route("/panic", axum::routing::post(async || -> Body { panic!("secret words") }));
    let server = Running::start(reading, soon).await;
    both(&mut text, "late body", &server, "/").await;
    both(&mut text, "panic", &server, "/panic").await;

    let (gate, waiting) = ReadinessGate::closed("brigade.v1.PollerService").await;
    let server = Running::start(waiting, Limits::default()).await;
    writeln!(text, "=== health while starting\n{}\n", answer(&server, "/health", false).await)
        .unwrap();
    both(&mut text, "still starting", &server, "/").await;
    let guard = Arc::new(crate::guard::Guard::new(crate::guard::GuardSettings::off()).unwrap());
    gate.open(crate::service::guarded(Router::new(), guard).unwrap()).await;
    writeln!(text, "=== health\n{}\n", answer(&server, "/health", false).await).unwrap();
    both(&mut text, "no such route", &server, "/nothing").await;
    both(&mut text, "no such method", &server, "/brigade.v1.PollerService/Nothing").await;
    insta::assert_snapshot!(text);
}

#[test]
fn addresses_that_cannot_be_bound() {
    let rows = [
        io::ErrorKind::AddrInUse,
        io::ErrorKind::PermissionDenied,
        io::ErrorKind::AddrNotAvailable,
        io::ErrorKind::Other,
    ]
    .map(|kind| {
        let failure: Failure = cannot_listen(([127, 0, 0, 1], 80).into(), &kind.into());
        format!("{:?}\n{failure}", failure.exit)
    });
    insta::assert_snapshot!(rows.join("\n\n"));
}
