//! The whole table: status, headers and body on the left, what they mean on the right.

use std::time::Duration;

use http::HeaderValue;

use super::*;
use crate::answer::WorkerAnswer;

const FLASK: &str = "<!doctype html>\n<html lang=en>\n<title>422 Unprocessable Entity</title>\n<h1>Unprocessable Entity</h1>";
const GOOGLE: &str = "<!DOCTYPE html>\n<html lang=en>\n<title>Error 400 (Bad Request)!!1</title>";
const BROKEN: &str =
    "<html><head>\n<title>500 Server Error</title>\n</head>\n<h1>Error: Server Error</h1>";
const SIGN_IN: &str = "<!doctype html><title>Sign in - Google Accounts</title>";

const LATER: Option<&str> = Some("7");
const SEVEN: Option<Duration> = Some(Duration::from_secs(7));

fn answer(status: u16, after: Option<&str>, body: &str) -> Answer {
    let mut headers = HeaderMap::new();
    // Flask gives this type to every text.
    headers.insert("content-type", HeaderValue::from_static("text/html; charset=utf-8"));
    if let Some(after) = after {
        headers.insert(RETRY_AFTER, HeaderValue::from_str(after).unwrap());
    }
    classify(status, &headers, body.as_bytes())
}

fn own(answer: Answer) -> WorkerAnswer {
    match answer {
        Answer::Worker(answer) => *answer,
        _ => panic!("{answer:?} is not taken for the worker's"),
    }
}

fn not_own(status: u16, retry_after: Option<Duration>) -> Answer {
    Answer::Transport(TransportError::Http { status, retry_after })
}

#[test]
fn success_is_the_workers_own_unless_it_is_a_web_page() {
    for (status, body, summary) in [
        (200, "ok", "ok"),
        (200, "", ""),
        (204, "", ""),
        (201, r#"{"summary": "3 lines", "outputs": ["gs://b/o"]}"#, "3 lines"),
        (200, r#"{"message": "done", "rows": 3}"#, "done"),
        (200, "read <html> from the file", "read <html> from the file"),
    ] {
        let answer = own(answer(status, None, body));
        assert_eq!((answer.code, answer.http_status), (Code::Ok, Some(status)));
        assert_eq!(answer.response.summary, summary, "{body}");
    }
    for (status, body, title) in [
        (200, SIGN_IN, "Sign in - Google Accounts"),
        (200, "<!-- cached -->\n<HTML><body>Welcome", ""),
        (201, "\u{feff}<html><title>Another service</title>", "Another service"),
    ] {
        let title = title.to_owned();
        let page = Answer::Transport(TransportError::Page { status, title });
        assert_eq!(answer(status, None, body), page, "{body}");
    }
}

#[test]
fn a_400_of_the_worker_is_a_refusal_with_its_words() {
    for status in [400, 409, 410, 413, 415, 422] {
        for (body, words) in [
            ("line 2", "line 2"),
            (r#"{"error": "line 2"}"#, "line 2"),
            (r#"{"detail": [{"loc": ["body"], "msg": "Field required"}]}"#, "body: Field required"),
            (FLASK, "422 Unprocessable Entity"),
        ] {
            let answer = own(answer(status, None, body));
            assert_eq!((answer.code, answer.http_status), (Code::InvalidArgument, Some(status)));
            assert_eq!(answer.message, format!("HTTP {status}: {words}"));
        }
        for body in ["", " \n", GOOGLE, SIGN_IN, BROKEN] {
            assert_eq!(answer(status, None, body), not_own(status, None), "{status} {body}");
        }
    }
}

#[test]
fn a_500_is_a_refusal_unless_it_is_a_front_ends_page() {
    for (body, words) in [
        ("line 2", "line 2"),
        (FLASK, "422 Unprocessable Entity"),
        ("Error: could not handle the request", "Error: could not handle the request"),
        ("", "HTTP 500 with an empty body"),
    ] {
        let answer = own(answer(500, None, body));
        assert_eq!((answer.code, answer.message.as_str()), (Code::Internal, words));
        assert_eq!(answer.http_status, Some(500));
    }
    for body in [BROKEN, "<html><title>Error 500 (Server Error)!!1</title>"] {
        assert_eq!(answer(500, None, body), not_own(500, None));
    }
}

/// The bytes of Flask 3.1, gunicorn 27, `FastAPI` 0.165, Express 5 and Django 5.2.
#[test]
fn the_words_of_a_frameworks_500_are_the_reason() {
    for (body, words) in [
        ("failed", "failed"),
        (
            "<!doctype html>\n<html lang=en>\n<title>500 Internal Server Error</title>\n<h1>Internal Server Error</h1>\n<p>failed</p>\n",
            "500 Internal Server Error: failed",
        ),
        (
            "<html>\n  <head>\n    <title>Internal Server Error</title>\n  </head>\n  <body>\n    <h1><p>Internal Server Error</p></h1>\n    \n  </body>\n</html>\n",
            "Internal Server Error",
        ),
        (r#"{"detail":"failed"}"#, "failed"),
        ("Internal Server Error", "Internal Server Error"),
        (
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Error</title>\n</head>\n<body>\n<pre>TypeError: failed<br> &nbsp; &nbsp;at /app/index.js:7:9</pre>\n</body>\n</html>\n",
            "Error: TypeError: failed",
        ),
        (
            "\n<!doctype html>\n<html lang=\"en\">\n<head>\n  <title>Server Error (500)</title>\n</head>\n<body>\n  <h1>Server Error (500)</h1><p></p>\n</body>\n</html>\n",
            "Server Error (500)",
        ),
    ] {
        assert_eq!(own(answer(500, None, body)).message, words);
    }
}

#[test]
fn an_answer_of_identity_aware_proxy_is_not_the_workers_own() {
    let mut headers = HeaderMap::new();
    headers.insert(IAP, HeaderValue::from_static("true"));
    for status in [200, 400, 500] {
        assert_eq!(classify(status, &headers, b"There was a problem"), not_own(status, None));
    }
}

#[test]
fn a_worker_that_is_busy_or_asks_for_time_is_believed() {
    for (status, after, code, delay) in [
        (408, LATER, Code::Unavailable, SEVEN),
        (425, None, Code::Unavailable, None),
        (429, None, Code::ResourceExhausted, None),
        (429, LATER, Code::ResourceExhausted, SEVEN),
        (503, LATER, Code::ResourceExhausted, SEVEN),
        (503, Some("Fri, 31 Dec 1999 23:59:59 GMT"), Code::ResourceExhausted, None),
    ] {
        let answer = own(answer(status, after, "later"));
        assert_eq!((answer.code, answer.retry_after), (code, delay), "{status}");
        assert_eq!((answer.message.as_str(), answer.http_status), ("later", Some(status)));
    }
}

#[test]
fn what_something_before_the_worker_says_too_is_not_the_workers_own() {
    for status in [202, 206, 301, 302, 307, 401, 403, 404, 405, 501, 502, 504, 599] {
        assert_eq!(answer(status, LATER, "words"), not_own(status, SEVEN));
    }
    assert_eq!(answer(503, None, "words"), not_own(503, None));
}

#[test]
fn the_reason_of_a_bucket_brigade_worker_gives_what_grpc_gives() {
    for (reason, status, code) in [
        ("OBJECT_REFUSED", 500, Code::InvalidArgument),
        ("PRECONDITION_FAILED", 500, Code::FailedPrecondition),
        ("PROCESSOR_FAILED", 500, Code::Internal),
        ("TRY_AGAIN", 503, Code::Unavailable),
        ("STORAGE_UNAVAILABLE", 503, Code::Unavailable),
        ("OBJECT_SUPERSEDED", 503, Code::Aborted),
        ("WORKER_BUSY", 429, Code::ResourceExhausted),
        ("DEADLINE_EXCEEDED", 408, Code::DeadlineExceeded),
        ("WORKER_MISCONFIGURED", 403, Code::PermissionDenied),
        ("REQUEST_MALFORMED", 400, Code::InvalidArgument),
    ] {
        let body = format!(r#"{{"error": "why", "reason": "{reason}"}}"#);
        let told = own(answer(status, LATER, &body));
        assert_eq!((told.code, told.message.as_str()), (code, "why"), "{reason}");
        assert_eq!((told.retry_after, told.http_status), (SEVEN, Some(status)));
        assert_eq!(told.is_storage, reason == "STORAGE_UNAVAILABLE");
        // Where the status does not agree, it decides.
        assert_eq!(answer(502, None, &body), not_own(502, None));
        assert_eq!(own(answer(200, None, &body)).code, Code::Ok);
    }
    let unknown = own(answer(500, None, r#"{"error": "why", "reason": "OUT_OF_LUCK"}"#));
    assert_eq!((unknown.code, unknown.is_storage), (Code::Internal, false));
}
