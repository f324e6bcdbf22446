//! Who returned an HTTP worker's answer, against a raw TCP server: only what it sends varies.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use brigade_client::{
    HttpWorkerClient,
    answer::{Answer, TransportError, WorkerAnswer},
    identity::{Error, IdToken, TokenSource},
};
use brigade_proto::v1::{Object, ProcessRequest};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
};
use tonic::Code;
use url::Url;

/// Longer than any call takes on a busy machine: a call that hangs fails its test.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that answers each request with these bytes and hangs up, and tells what it was sent.
async fn server(answer: impl Into<String>) -> (Url, UnboundedReceiver<String>) {
    let answer = answer.into();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/process", listener.local_addr().unwrap());
    let (sent, seen) = unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let request = request(&mut stream).await;
            let _ = sent.send(request);
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (url.parse().unwrap(), seen)
}

/// Reads a whole request, by its content-length.
async fn request(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).await.unwrap_or(0);
        read.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&read).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            if count == 0 {
                return text;
            }
            continue;
        };
        let lower = head.to_ascii_lowercase();
        let length = lower.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |length| length.parse().unwrap());
        if body.len() >= length || count == 0 {
            return text;
        }
    }
}

fn response(status: u16, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} Whatever\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

fn object() -> ProcessRequest {
    ProcessRequest {
        object: Some(Object {
            bucket: "data".into(),
            name: "in/a".into(),
            generation: 7,
            ..Object::default()
        }),
        attempt: 1,
        idempotency_key: "data/in/a#7".into(),
        inbox: "gs://data/in/".into(),
    }
}

async fn asked_within(url: &Url, budget: Duration) -> Answer {
    let client = HttpWorkerClient::new(url, None, None).unwrap();
    client.process(object(), budget).await
}

async fn asked(url: &Url) -> Answer {
    asked_within(url, PATIENCE).await
}

async fn answered(status: u16, headers: &str, body: &str) -> Answer {
    let (url, _) = server(response(status, headers, body)).await;
    asked(&url).await
}

const HTML: &str = "content-type: text/html; charset=UTF-8\r\n";
const JSON: &str = "content-type: application/json\r\n";
/// The page of Google's front end, for a container that broke.
const PAGE: &str = "\n<html><head>\n<meta http-equiv=\"content-type\" content=\"text/html;charset=utf-8\">\n\
    <title>500 Server Error</title>\n</head>\n<body text=#000000 bgcolor=#ffffff>\n<h1>Error: Server Error</h1>\n\
    <h2>The server encountered an error and could not complete your request.<p>Please try again in 30 seconds.</h2>\n\
    <h2></h2>\n</body></html>\n";
/// The worker's own answer.
fn own(answer: &Answer) -> &WorkerAnswer {
    match answer {
        Answer::Worker(answer) => answer,
        _ => panic!("{answer:?} is not taken for the worker's"),
    }
}

fn http_error(status: u16, retry_after: Option<u64>) -> Answer {
    Answer::Transport(TransportError::Http {
        status,
        retry_after: retry_after.map(Duration::from_secs),
    })
}

#[tokio::test]
async fn a_post_of_json_names_the_object_at_the_top() {
    let (url, mut seen) = server(response(200, "", "OK")).await;
    asked(&url).await;
    let request = seen.recv().await.unwrap();
    assert!(request.starts_with("POST /process HTTP/1.1\r\n"), "{request}");
    let (_, body) = request.split_once("\r\n\r\n").unwrap();
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let named = ["bucket", "name", "generation", "attempt"].map(|field| body[field].to_string());
    assert_eq!(named, ["\"data\"", "\"in/a\"", "\"7\"", "1"]);
    assert!(!request.to_ascii_lowercase().contains("authorization"));
}

/// The whole table is `http_worker::answer::tests`.
#[tokio::test]
async fn a_status_its_headers_and_its_words_arrive() {
    let answer = answered(422, HTML, "line 2 is not a number").await;
    let shown = (own(&answer).code, own(&answer).http_status, own(&answer).message.as_str());
    let words = "HTTP 422: line 2 is not a number";
    assert_eq!(shown, (Code::InvalidArgument, Some(422), words));

    let answer = answered(429, "retry-after: 3\r\n", "full").await;
    assert_eq!(own(&answer).code, Code::ResourceExhausted);
    assert_eq!(own(&answer).retry_after, Some(Duration::from_secs(3)));

    let body = r#"{"error": "storage is away", "reason": "STORAGE_UNAVAILABLE"}"#;
    let answer = answered(503, JSON, body).await;
    assert_eq!((own(&answer).code, own(&answer).is_storage), (Code::Unavailable, true));

    assert_eq!(answered(503, "", "words").await, http_error(503, None));
}

#[tokio::test]
async fn a_sign_in_page_accepts_no_file() {
    let page = "<!DOCTYPE html><html><head><title>Sign in</title></head></html>";
    let title = "Sign in".to_owned();
    let expected = Answer::Transport(TransportError::Page { status: 200, title });
    assert_eq!(answered(200, HTML, page).await, expected);
}

#[tokio::test]
async fn a_500_of_googles_front_end_says_nothing_about_the_object() {
    assert_eq!(answered(500, HTML, PAGE).await, http_error(500, None));
}

#[tokio::test]
async fn a_body_cut_short_says_nothing_whatever_the_status() {
    for status in [200, 500] {
        let cut = response(status, "", "whole").replace("length: 5", "length: 50");
        let (url, _) = server(cut).await;
        let answer = asked(&url).await;
        assert!(
            matches!(answer, Answer::Transport(TransportError::CutShort(_))),
            "{status}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn an_answer_without_end_is_read_no_further_than_a_line_needs() {
    let long = "x".repeat(1 << 20);
    let answer = answered(500, "", &long).await;
    assert_eq!(own(&answer).code, Code::Internal);
    assert_eq!(own(&answer).message.len(), 2048);
}

#[tokio::test]
async fn a_connection_that_is_refused_or_breaks_is_a_transport_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let answer = asked(&closed).await;
    let connect = matches!(answer, Answer::Transport(TransportError::Connect(_)));
    assert!(connect, "{answer:?}");
    for sent in ["", "SSH-2.0-OpenSSH_9.6\r\n"] {
        let answer = asked(&server(sent).await.0).await;
        let reset = matches!(answer, Answer::Transport(TransportError::Reset(_)));
        assert!(reset, "{answer:?}");
    }
}

#[tokio::test]
async fn a_worker_that_gives_no_answer_meets_our_own_timer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let budget = Duration::from_millis(50);
    let asked = tokio::spawn(async move { asked_within(&url, budget).await });
    let (_stream, _) = listener.accept().await.unwrap();
    assert_eq!(asked.await.unwrap(), Answer::TimedOut(budget));
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_the_token() {
    let (elsewhere, mut seen) = server(response(200, "", "OK")).await;
    let (url, _) = server(response(307, &format!("location: {elsewhere}\r\n"), "")).await;
    let answer = asked(&url).await;
    assert_eq!(answer, http_error(307, None));
    assert!(seen.try_recv().is_err());
}

/// Hands out tokens with a number, and invalidate them.
#[derive(Debug, Default)]
struct Numbered(AtomicUsize);

#[async_trait]
impl TokenSource for Numbered {
    async fn fetch(&self, audience: &str) -> Result<IdToken, Error> {
        let number = self.0.load(Ordering::SeqCst);
        Ok(token(audience, number))
    }

    fn describe(&self) -> String {
        "numbers".into()
    }

    fn invalidate(&self, _audience: &str, _token: &IdToken) -> bool {
        self.0.fetch_add(1, Ordering::SeqCst) < 5
    }
}

/// An unsigned token; only its text matters here.
fn token(audience: &str, number: usize) -> IdToken {
    use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
    let part = |json: serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
    let header = part(serde_json::json!({"alg": "RS256"}));
    let claims = part(serde_json::json!({
        "aud": audience, "iss": "i", "sub": number.to_string(), "iat": 0, "exp": 4_000_000_000_u64,
    }));
    IdToken::parse(&format!("{header}.{claims}.c2ln"), audience, "numbers").unwrap()
}

#[tokio::test]
async fn a_token_that_is_refused_is_renewed_once() {
    let (url, mut seen) = server(response(401, "", "")).await;
    let client = HttpWorkerClient::new(&url, Some(Arc::new(Numbered::default())), None).unwrap();
    let answer = client.process(object(), PATIENCE).await;
    assert_eq!(answer, http_error(401, None));
    let bearer = |request: String| {
        let line = request.lines().find(|line| line.starts_with("authorization: "));
        line.unwrap().to_owned()
    };
    let (first, second) = (seen.recv().await.unwrap(), seen.recv().await.unwrap());
    assert_ne!(bearer(first), bearer(second));
    assert!(seen.try_recv().is_err());
}

#[tokio::test]
async fn a_token_is_not_sent_where_it_could_be_read() {
    let url = "http://worker.example/process".parse().unwrap();
    let error = HttpWorkerClient::new(&url, Some(Arc::new(Numbered::default())), None);
    assert!(error.is_err());
}

#[tokio::test]
async fn an_answer_of_any_length_counts_by_its_status() {
    let body = format!("{{\"outputs\": [\"{}\"]}}", "x".repeat(70 * 1024));
    for (status, code) in [("200 OK", Code::Ok), ("500 No", Code::Internal)] {
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json");
        let (url, _) = server(format!("{head}\r\ncontent-length: {length}\r\n\r\n{body}")).await;
        let answer = asked(&url).await;
        let answer = own(&answer);
        assert_eq!(answer.code, code);
        let said = answer.message.len() + answer.response.summary.len();
        assert!((1..=2048).contains(&said), "{said}");
    }
}

/// The client's own first message names the protocols that it speaks, before anything is encrypted.
#[tokio::test]
async fn over_tls_too_each_call_in_flight_has_a_connection_of_its_own() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let client = HttpWorkerClient::new(&url.parse().unwrap(), None, None).unwrap();
    let call =
        tokio::spawn(async move { client.process(ProcessRequest::default(), PATIENCE).await });
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut head = [0; 5];
    stream.read_exact(&mut head).await.unwrap();
    let mut hello = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
    stream.read_exact(&mut hello).await.unwrap();
    let names = |name: &[u8]| hello.windows(name.len()).any(|part| part == name);
    // ALPN: the list's length, then a length before each name (RFC 7301).
    assert!(names(b"\x00\x09\x08http/1.1"), "{hello:02x?}");
    assert!(!names(b"\x02h2"), "{hello:02x?}");
    drop(stream);
    assert!(matches!(call.await.unwrap(), Answer::Transport(_)));
}
