//! Every message of the guard that a person can meet, in snapshots.

use std::fmt::Write as _;

use axum::body::to_bytes;
use reqwest::StatusCode;

use crate::{
    exit::Failure,
    guard::{Guard, GuardError, GuardSettings, Mode, NotProtected, Refusal},
};

const REFUSALS: [Refusal; 28] = [
    Refusal::Missing,
    Refusal::Several,
    Refusal::Scheme,
    Refusal::TooLong,
    Refusal::Parts,
    Refusal::Encoding,
    Refusal::Header,
    Refusal::Algorithm,
    Refusal::Type,
    Refusal::Extension,
    Refusal::KeyId,
    Refusal::UnknownKey,
    Refusal::Signature,
    Refusal::Stripped,
    Refusal::Claims,
    Refusal::Issuer,
    Refusal::Audience,
    Refusal::Expired,
    Refusal::IssuedLater,
    Refusal::NotYet,
    Refusal::Lifetime,
    Refusal::Subject,
    Refusal::Email,
    Refusal::Caller,
    Refusal::Forged,
    Refusal::Unproven,
    Refusal::NoKeys,
    Refusal::Waiting,
];

/// The whole of an answer, as a caller gets it.
async fn shown(refusal: Refusal, grpc: bool) -> String {
    let (head, body) = refusal.response(grpc).into_parts();
    let mut text = format!("{}\n", head.status);
    for (name, value) in &head.headers {
        writeln!(text, "{name}: {}", value.to_str().unwrap()).unwrap();
    }
    let body = to_bytes(body, 1024).await.unwrap();
    text + std::str::from_utf8(&body).unwrap()
}

#[test]
fn refusals() {
    let rows = REFUSALS.map(|refusal| {
        let (check, code) = (refusal.check(), refusal.code());
        format!("{refusal:?} ({check}, {code:?}): {refusal}")
    });
    insta::assert_snapshot!(rows.join("\n"));
}

#[tokio::test]
async fn refusals_as_they_are_sent() {
    let mut text = String::new();
    for refusal in [Refusal::Missing, Refusal::Expired, Refusal::Caller, Refusal::NoKeys] {
        for grpc in [false, true] {
            writeln!(text, "{refusal:?}: {}\n", shown(refusal, grpc).await).unwrap();
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn front_end_checks_that_fail() {
    let url = || "https://poller.example/".parse().unwrap();
    let failures = [
        NotProtected::Public(url()),
        NotProtected::Unclear { url: url(), status: StatusCode::OK },
        NotProtected::Unreachable { url: url(), why: "connection refused".to_owned() },
        NotProtected::Plain("http://poller.example/".parse().unwrap()),
    ];
    let rows = failures.map(|error| {
        let failure = Failure::from(error);
        format!("{:?}\n{failure}", failure.exit)
    });
    insta::assert_snapshot!(rows.join("\n\n"));
}

#[test]
fn guards_that_cannot_be_set_up() {
    let empty = GuardSettings { mode: Mode::Verify, ..GuardSettings::off() };
    let plain = GuardError::Plain("http://keys.example/".parse().unwrap());
    let empty = Guard::new(empty).unwrap_err();
    let text = format!("{empty}\n{plain}");
    insta::assert_snapshot!(text);
    // That of missing certificates is tested with the command, in an empty root.
    let client = reqwest::Client::builder().tls_certs_only([]).build().unwrap();
    let client = GuardError::Client(client.get("/").build().unwrap_err());
    assert_eq!([empty.hint(), plain.hint(), client.hint()], [""; 3]);
}
