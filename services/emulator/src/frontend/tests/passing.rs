//! What passes through, and how.

use http::{StatusCode, Version};
use http_body_util::BodyExt as _;

use super::{
    container::{data, frames, trailers},
    *,
};

#[tokio::test]
async fn the_container_hears_the_call_over_http2_with_what_google_adds() {
    let shape = private().await;
    let bearer = shape.bearer(POLLER);
    let headers = [
        ("authorization", bearer.as_str()),
        ("x-custom", "kept"),
        ("connection", "x-hop"),
        ("x-hop", "1"),
        ("x-forwarded-for", "203.0.113.9"),
    ];
    assert_eq!(shape.get(&headers).await.version(), Version::HTTP_11);
    let heard = shape.container.heard().unwrap();
    assert_eq!(heard.version, Version::HTTP_2);
    let url = shape.front.url().join("some/path?x=1").unwrap();
    assert_eq!(heard.uri, url.as_str());
    assert_eq!(heard.headers["x-custom"], "kept");
    assert_eq!(heard.headers["x-forwarded-for"], "203.0.113.9,127.0.0.1");
    assert_eq!(heard.headers["x-forwarded-proto"], "http");
    for hop in ["x-hop", "connection", "host"] {
        assert!(!heard.headers.contains_key(hop), "{hop}");
    }
    let trace = heard.headers["x-cloud-trace-context"].to_str().unwrap();
    let (id, rest) = trace.split_once('/').unwrap();
    assert!(id.len() == 32 && rest.ends_with(";o=0"), "{trace}");

    let own = ("x-cloud-trace-context", "105445aa7843bc8bf206b12000100000/1;o=1");
    let heard = shape.heard(&[("authorization", &bearer), own]).await;
    assert_eq!(heard[own.0], own.1);
}

#[tokio::test]
async fn a_container_that_speaks_http1_alone_hears_the_call_so() {
    let shape = shape(|service| service.invoker(POLLER).http1()).await;
    let bearer = shape.bearer(POLLER);
    let headers = [("authorization", bearer.as_str()), ("x-custom", "kept")];
    let heard = {
        shape.get(&headers).await;
        shape.container.heard().unwrap()
    };
    assert_eq!(heard.version, Version::HTTP_11);
    assert_eq!(heard.uri, "/some/path?x=1");
    assert_eq!(heard.headers["host"], shape.front.url().authority());
    assert_eq!(heard.headers["x-custom"], "kept");
    assert_eq!(heard.headers["x-forwarded-proto"], "http");
    let added = heard.headers["authorization"].to_str().unwrap();
    assert!(added.ends_with(".SIGNATURE_REMOVED_BY_GOOGLE"), "{added}");

    for body in ["{}", ""] {
        // A caller of the front end may speak HTTP/2 all the same.
        let (echoed, _) = whole(shape.call(body).await.unwrap()).await.unwrap();
        assert_eq!(echoed, body);
        assert_eq!(shape.container.heard().unwrap().version, Version::HTTP_11);
    }
}

#[tokio::test]
async fn messages_pass_both_ways_as_they_come_and_trailers_after_them() {
    let shape = private().await;
    let (sender, body) = frames();
    let mut response = shape.send(body).await.unwrap();
    // Each message comes back before the next one is sent: nothing is kept until there is more.
    for message in ["one", "two", "three"] {
        sender.send(Ok(data(message))).unwrap();
        let frame = response.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), message);
    }
    sender.send(Ok(trailers("5"))).unwrap();
    drop(sender);
    let (rest, trailers) = whole(response).await.unwrap();
    assert_eq!((rest.len(), &trailers["grpc-status"]), (0, &"5".parse().unwrap()));
    let heard = shape.container.heard().unwrap();
    assert_eq!(heard.headers["te"], "trailers");
}

#[tokio::test]
async fn large_bodies_pass_whole() {
    let shape = private().await;
    let large = bytes::Bytes::from(vec![7; 5 << 20]);
    let response = shape.call(large.clone()).await.unwrap();
    assert_eq!(whole(response).await.unwrap().0, large);
}

#[tokio::test]
async fn a_callers_reset_reaches_the_container() {
    let shape = private().await;
    let address = shape.front.url().socket_addrs(|| None).unwrap()[0];
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut caller, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let request = Request::post(shape.front.url().as_str())
        .header("authorization", shape.bearer(POLLER))
        .body(())
        .unwrap();
    let (response, mut body) = caller.send_request(request, false).unwrap();
    response.await.unwrap();
    body.send_reset(h2::Reason::CANCEL);
    shape.container.gone.notified().await;
}

#[tokio::test]
async fn a_caller_that_gives_up_before_the_answer_is_given_up_by_the_container() {
    let shape = private().await;
    let bearer = shape.bearer(POLLER);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = shape.front.url().join("hang").unwrap();
    let call = tokio::spawn(http.get(url).header("authorization", bearer).send());
    shape.container.arrived.notified().await;
    call.abort();
    shape.container.gone.notified().await;
}

#[tokio::test]
async fn a_body_that_breaks_does_not_end_like_a_whole_one() {
    let shape = private().await;
    let (sender, body) = frames();
    let response = shape.send(body).await.unwrap();
    sender.send(Ok(data("one"))).unwrap();
    sender.send(Err(std::io::ErrorKind::Other.into())).unwrap();
    whole(response).await.unwrap_err();
}

#[tokio::test]
async fn the_containers_reset_reaches_the_caller_with_its_reason() {
    let listener = loopback().await;
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut connection = h2::server::handshake(stream).await.unwrap();
        let (_, mut respond) = connection.accept().await.unwrap().unwrap();
        let mut body = respond.send_response(Response::new(()), false).unwrap();
        body.send_data(bytes::Bytes::from_static(b"one"), false).unwrap();
        let resetting = tokio::spawn(async move {
            // Asked for once the message is on its way: a reset would overtake it.
            body.reserve_capacity(1);
            let _ = std::future::poll_fn(|context| body.poll_capacity(context)).await;
            body.send_reset(h2::Reason::ENHANCE_YOUR_CALM);
        });
        while connection.accept().await.is_some() {}
        resetting.await.unwrap();
    });
    let mut shape = private().await;
    let service = Service::new("worker", address).invoker(POLLER);
    shape.front = shape.google.front_end(loopback().await, &service).unwrap();
    let error = whole(shape.call("x").await.unwrap()).await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap();
    let reason = source.downcast_ref::<h2::Error>().unwrap().reason();
    assert_eq!(reason, Some(h2::Reason::ENHANCE_YOUR_CALM));
}

#[tokio::test]
async fn a_container_that_starts_again_is_found_again() {
    let shape = private().await;
    let bearer = shape.bearer(POLLER);
    shape.heard(&[("authorization", &bearer)]).await;
    let mut shape = shape;
    let address = shape.container.address;
    drop(std::mem::replace(&mut shape.container, container::container().await));
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    let answer = shape.get(&[("authorization", &bearer)]).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    let listener = TcpListener::bind(address).await.unwrap();
    shape.container = container::on(listener);
    shape.heard(&[("authorization", &bearer)]).await;
}

#[tokio::test]
async fn it_continues_without_the_emulator_and_stops_by_itself() {
    let Shape { google, front, container: _container } = private().await;
    let origin = front.url().as_str().trim_end_matches('/').to_owned();
    let token = google.identity().mint(POLLER, &origin);
    google.stop().await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = http.get(front.url()).bearer_auth(token).send().await;
    assert_eq!(answer.unwrap().status(), StatusCode::OK);
    let address = front.url().socket_addrs(|| None).unwrap()[0];
    front.stop().await;
    assert!(TcpStream::connect(address).await.is_err());
}
