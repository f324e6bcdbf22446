//! How connections and the server come to their ends.

use super::*;

#[tokio::test]
async fn a_call_in_flight_ends_after_the_shutdown_and_new_ones_are_refused() {
    for client in [http1(), http2()] {
        let gate = Gate::default();
        let server = Running::start(gate.router(), Limits::default()).await;
        let call = tokio::spawn(client.get(server.url("/wait")).send());
        gate.called.notified().await;

        server.stop.cancel();
        while TcpStream::connect(server.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        assert!(!server.served.is_finished(), "the call in flight is waited for");

        gate.open.notify_one();
        let response = call.await.unwrap().unwrap();
        assert_eq!(response.text().await.unwrap(), "done");
        server.stopped().await;
    }
}

#[tokio::test]
async fn what_is_in_flight_when_the_grace_ends_is_cut_off() {
    for client in [http1(), http2()] {
        let gate = Gate::default();
        let limits = Limits { grace: Duration::from_millis(50), ..Limits::default() };
        let server = Running::start(gate.router(), limits).await;
        let call = tokio::spawn(client.get(server.url("/wait")).send());
        gate.called.notified().await;

        server.stop.cancel();
        server.stopped().await;
        // Sooner than the client gives up by itself.
        let ended = timeout(PATIENCE * 2 / 3, call).await.expect("the call is cut off");
        assert!(ended.unwrap().is_err());
        // Over HTTP/2 the handler has a task of its own, which ends when it notices.
        timeout(PATIENCE, async {
            while gate.dropped.load(Ordering::SeqCst) == 0 {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("the handler is not left behind");
    }
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_up_the_shutdown() {
    let server = Running::start(hello(), Limits::default()).await;
    let mut clients = Vec::new();
    for client in [http1(), http2()] {
        client.get(server.url("/")).send().await.unwrap().text().await.unwrap();
        clients.push(client);
    }
    let _silent = server.connect().await;
    server.stop.cancel();
    server.stopped().await;
}

#[tokio::test]
async fn an_old_connection_is_asked_to_end() {
    let limits = Limits { age: Some(Duration::from_millis(100)), ..Limits::default() };
    let server = Running::start(hello(), limits).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut text = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut text)).await.expect("closed by age").unwrap();
    assert!(text.starts_with("HTTP/1.1 200 OK"), "{text}");
}
