use axum::{
    body::Body,
    http::{HeaderValue, Request, Response},
    routing::get,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::*;
use crate::{
    guard::GuardSettings,
    service::{AuthConfig, Service},
};

/// What a browser sends from a page of this machine, and what a program sends.
const OWN: [&[(&str, &str)]; 7] = [
    &[],
    &[("origin", "http://localhost:3000")],
    &[("origin", "https://127.0.0.1")],
    &[("origin", "http://[::1]:8080"), ("sec-fetch-site", "same-site")],
    &[("sec-fetch-site", "same-origin")],
    &[("sec-fetch-site", "none")],
    &[("referer", "http://evil.example/")],
];
/// What a browser sends from a page of another site.
const FOREIGN: [&[(&str, &str)]; 9] = [
    &[("origin", "http://evil.example")],
    &[("origin", "http://127.0.0.1.evil.example")],
    &[("origin", "http://localhost@evil.example")],
    &[("origin", "http://localhost:80.evil.example")],
    &[("origin", "file://localhost")],
    &[("origin", "null")],
    &[("origin", "")],
    &[("origin", "http://localhost"), ("origin", "http://evil.example")],
    &[("sec-fetch-site", "cross-site")],
];

fn check(site: &LocalSite, uri: &str, headers: &[(&str, &str)]) -> Result<(), Foreign> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name: HeaderName = name.parse().unwrap();
        map.append(name, HeaderValue::from_str(value).unwrap());
    }
    site.check(&uri.parse().unwrap(), &map)
}

#[test]
fn only_the_names_of_this_machine_are_answered() {
    let site = LocalSite::new(["Host.docker.internal".into(), "*.googleapis.com".into()]);
    let host = |host| check(&site, "/", &[("host", host)]);
    for own in [
        "localhost",
        "LOCALHOST:8080",
        "127.0.0.1:1",
        "127.9.8.7",
        "[::1]:8080",
        "host.docker.internal:8082",
        "storage.googleapis.com",
    ] {
        assert_eq!(host(own), Ok(()), "{own}");
    }
    for foreign in [
        "",
        ":8080",
        "evil.example",
        "evil.example:8080",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "127.0.0.1@evil.example",
        "localhost:80:80",
        "localhost.",
        "128.0.0.1",
        "0.0.0.0:8080",
        "[::]",
        "10.0.0.1",
        "googleapis.com",
        "evilgoogleapis.com",
        "storage.googleapis.com.evil.example",
    ] {
        assert_eq!(host(foreign), Err(Foreign::Host(foreign.into())), "{foreign}");
    }
    assert_eq!(check(&site, "/", &[]), Err(Foreign::Host(String::new())), "HTTP/1.0 needs none");
    // HTTP/2 has the host in its URI, and a request line of HTTP/1.1 may have one beside the header's.
    assert_eq!(check(&site, "http://127.0.0.1:8080/", &[]), Ok(()));
    for headers in [&[][..], &[("host", "localhost")]] {
        assert!(check(&site, "http://evil.example/", headers).is_err(), "{headers:?}");
    }
    assert!(check(&site, "/", &[("host", "localhost"), ("host", "evil.example")]).is_err());
}

#[test]
fn a_page_of_another_site_is_refused_and_one_of_this_machine_is_not() {
    let site = LocalSite::default();
    let sent = |more: &[_]| check(&site, "/", &[&[("host", "localhost:8080")], more].concat());
    for own in OWN {
        assert_eq!(sent(own), Ok(()), "{own:?}");
    }
    for foreign in FOREIGN {
        assert!(matches!(sent(foreign), Err(Foreign::Origin(_))), "{foreign:?}");
    }
}

#[test]
fn a_page_below_a_domain_that_is_allowed_is_foreign_all_the_same() {
    let site = LocalSite::new(["*.googleapis.com".into(), "devbox".into()]);
    let sent = |origin| check(&site, "/", &[("host", "devbox:1"), ("origin", origin)]);
    assert_eq!(sent("http://devbox:8080"), Ok(()));
    assert!(sent("https://storage.googleapis.com").is_err());
}

#[tokio::test]
async fn a_refusal_names_the_fix_and_shows_no_more_than_a_hundred_characters() {
    let router = LocalSite::default().protect(Router::new().route("/", get(async || "read")));
    let sent = async |host: &str, grpc: &str| -> Response<Body> {
        let request = Request::get("/").header("host", host).header("content-type", grpc);
        router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    };
    let refused = sent(&"e".repeat(10_000), "").await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let body = axum::body::to_bytes(refused.into_body(), 1_000).await.unwrap();
    let page = check(
        &LocalSite::default(),
        "/",
        &[("host", "localhost"), ("origin", "http://evil.example")],
    );
    insta::assert_snapshot!(format!("{}\n{}", String::from_utf8_lossy(&body), page.unwrap_err()));
    assert_eq!(sent("evil.example", "application/grpc").await.headers()["grpc-status"], "7");
}

/// What the service answers to these bytes of HTTP/1.1.
async fn answer(to: std::net::SocketAddr, path: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(to).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_service_that_checks_no_token_answers_this_machine_alone() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (at, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let site = LocalSite::new(["poller.internal".into()]);
    let auth = AuthConfig { site, ..GuardSettings::off().into() };
    let routes = async { Ok(Router::new().route("/poll", get(async || "polled"))) };
    let service = Service::new("brigade.v1.PollerService", auth).routes(routes);
    let served = tokio::spawn(service.serve(listener, stop.clone()));
    for path in ["/poll", "/healthz", "/unknown"] {
        for headers in [
            "host: evil.example\r\n".to_owned(),
            "host: \r\n".to_owned(),
            format!("host: {at}\r\norigin: http://evil.example\r\n"),
            format!("host: {at}\r\nsec-fetch-site: cross-site\r\n"),
        ] {
            let line = answer(at, path, &headers).await;
            assert_eq!(line, "HTTP/1.1 403 Forbidden", "{path} {headers}");
        }
    }
    for headers in ["host: poller.internal:80\r\n".to_owned(), format!("host: {at}\r\n")] {
        assert_eq!(answer(at, "/poll", &headers).await, "HTTP/1.1 200 OK", "{headers}");
    }
    stop.cancel();
    served.await.unwrap().unwrap();
}
