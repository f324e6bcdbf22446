//! What a well-meaning client may not have more of.

use super::*;

#[tokio::test]
async fn headers_over_the_limit_are_refused() {
    let server = Running::start(hello(), Limits::default()).await;
    let long = "x".repeat(49 * 1024);
    // As much as the server reads: what it left unread could take the answer with it.
    let mut stream = server.connect().await;
    let head = format!("GET / HTTP/1.1\r\nx-long: {long}");
    stream.write_all(&head.as_bytes()[..48 * 1024]).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");

    let answer = http2().get(server.url("/")).header("x-long", &long).send().await;
    let refused = answer
        .map_or(true, |response| response.status() == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    assert!(refused);

    let nearly = "x".repeat(47 * 1024);
    let response = http2().get(server.url("/")).header("x-long", &nearly).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let limits = Limits {
        header_time: Duration::from_millis(50),
        idle: Duration::from_millis(50),
        ..Limits::default()
    };
    let server = Running::start(hello(), limits).await;
    for first in ["", "P", "PRI * HTTP/2.0\r\n", "GET / HTTP/1.1\r\nhost: x\r\n"] {
        let mut stream = server.connect().await;
        stream.write_all(first.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        let closed = timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
        assert!(closed.is_ok(), "open after {first:?}");
    }
}

#[tokio::test]
async fn an_http2_connection_that_gives_no_sign_of_life_is_closed() {
    let limits = Limits {
        keepalive: Duration::from_millis(50),
        keepalive_time: Duration::from_millis(50),
        ..Limits::default()
    };
    let server = Running::start(hello(), limits).await;
    let mut silent = wire::Peer::connect(server.address).await.unwrap();
    let closed = async { while silent.next().await.is_some() {} };
    assert!(timeout(PATIENCE, closed).await.is_ok(), "it is still open");
}

#[tokio::test]
async fn connections_over_the_limit_wait_while_all_have_a_call() {
    for client in [http1(), http2()] {
        let limits = Limits { connections: 1, ..Limits::default() };
        let gate = Gate::default();
        let server = Running::start(gate.router(), limits).await;
        let call = tokio::spawn(client.get(server.url("/wait")).send());
        gate.called.notified().await;
        let mut waiting = tokio::spawn(http1().get(server.url("/")).send());
        let early = timeout(Duration::from_millis(300), &mut waiting).await;
        assert!(early.is_err(), "answered although there was no room");
        gate.open.notify_one();
        assert_eq!(call.await.unwrap().unwrap().text().await.unwrap(), "done");
        // The connection of the call is idle now.
        assert_eq!(waiting.await.unwrap().unwrap().status(), StatusCode::OK);
    }
}

/// Each kind of connection that does nothing, the oldest first; the newest stays.
#[tokio::test]
async fn an_idle_connection_makes_room_for_a_new_one() {
    let limits = Limits { connections: 4, ..Limits::default() };
    let router = crate::health::routes("").await.open.merge(hello_alone());
    let server = Running::start(router, limits).await;
    let mut idle = Vec::new();
    for first in ["", "P", "GET / HTTP/1.1\r\nhost: x\r\n"] {
        let mut stream = server.connect().await;
        stream.write_all(first.as_bytes()).await.unwrap();
        idle.push(stream);
        // In this order: they are told apart by the millisecond.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut peer = wire::Peer::connect(server.address).await.unwrap();
    let path = wire::literal(":path", "/grpc.health.v1.Health/Check");
    let check = [&[0x83, 0x86][..], &path].concat();
    // A check whose message never comes is nothing that is done.
    peer.send(&wire::frame(wire::HEADERS, wire::END_HEADERS, 1, &check)).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    // Each has a connection of its own, and needs the room of one.
    let mut answered = Vec::new();
    for _ in 0..4 {
        let client = http2();
        let answer = client.get(server.url("/")).send().await.unwrap();
        assert_eq!(answer.text().await.unwrap(), "hello");
        answered.push(client);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for mut stream in idle {
        let mut rest = Vec::new();
        // A reset is an end too.
        let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("it has made room");
    }
    let told = async {
        let mut told = false;
        while let Some(frame) = peer.next().await {
            told |= frame.kind == wire::GOAWAY;
        }
        told
    };
    assert!(timeout(PATIENCE, told).await.expect("it has made room"));
}

/// It was asked to end, and its client takes his time.
#[tokio::test]
async fn a_connection_that_does_not_part_makes_room_too() {
    let limits = Limits {
        connections: 1,
        idle: Duration::from_millis(50),
        keepalive_time: PATIENCE * 10,
        ..Limits::default()
    };
    let server = Running::start(hello(), limits).await;
    let mut peer = wire::Peer::connect(server.address).await.unwrap();
    while peer.next().await.expect("it is open").kind != wire::GOAWAY {}
    let answer = http1().get(server.url("/")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test]
async fn however_many_are_idle_health_answers() {
    let limits = Limits { connections: 50, ..Limits::default() };
    let server = Running::start(hello(), limits).await;
    let mut idle = Vec::new();
    for _ in 0..200 {
        idle.push(wire::Peer::connect(server.address).await.unwrap());
        let health = http1().get(server.url("/health"));
        if idle.len() % 20 == 0 {
            assert_eq!(health.send().await.unwrap().status(), StatusCode::OK);
        }
    }
}

#[tokio::test]
async fn calls_over_the_limit_are_refused_at_once_and_health_is_not() {
    let gate = Gate::default();
    let limits = Limits { calls: 1, ..Limits::default() };
    let server = Running::start(gate.router(), limits).await;
    let call = tokio::spawn(http1().get(server.url("/wait")).send());
    gate.called.notified().await;

    let refused = http1().get(server.url("/")).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()["retry-after"], "1");
    let grpc = http2().get(server.url("/")).header("content-type", "application/grpc+proto");
    assert_eq!(grpc.send().await.unwrap().headers()["grpc-status"], "8");
    let health = http1().get(server.url("/health")).send().await.unwrap();
    assert_eq!(health.status(), StatusCode::OK);

    gate.open.notify_one();
    call.await.unwrap().unwrap().text().await.unwrap();
    timeout(PATIENCE, async {
        while http1().get(server.url("/")).send().await.unwrap().status() != StatusCode::OK {}
    })
    .await
    .expect("room is given back");
}

#[tokio::test]
async fn a_body_that_is_still_sent_counts_as_a_call() {
    let endless = async || {
        let frames = tokio_stream::StreamExt::chain(
            tokio_stream::once(Ok::<_, io::Error>("first")),
            tokio_stream::pending(),
        );
        Body::from_stream(frames).into_response()
    };
    let limits = Limits { calls: 1, ..Limits::default() };
    let server = Running::start(hello().route("/endless", get(endless)), limits).await;
    let mut streaming = http1().get(server.url("/endless")).send().await.unwrap();
    assert_eq!(streaming.chunk().await.unwrap().unwrap(), "first");
    let refused = http1().get(server.url("/")).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
}
