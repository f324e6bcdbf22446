//! `InboxService` through the real routes: who may call what, over gRPC and HTTP, and what is answered.

use brigade_proto::v1::{
    GetObjectRequest, GetStatusRequest, ListObjectsRequest, ObjectFilter, Place,
    ReplayObjectsRequest, watch_events_response::Event,
};
use brigade_worker::{Outcome, ProcessError};
use serde_json::Value;
use tonic::Code;

use crate::harness::{CALLER, OPERATOR, READER, STRANGER, System, scripted};

/// A system that has one processed, one failed and one waiting object.
async fn system() -> System {
    let system = System::with_processor(scripted(|job| {
        Box::pin(async move {
            match job.file_name() {
                "bad.csv" => Err(ProcessError::refuse("no day")),
                _ => Ok(Outcome::default()),
            }
        })
    }))
    .await;
    system.upload_all(&["bad.csv", "good.csv"]);
    system.poll().await.unwrap();
    system.upload_all(&["new.csv"]);
    system
}

fn failed() -> ObjectFilter {
    ObjectFilter { place: Place::Failed.into(), ..ObjectFilter::default() }
}

fn name(name: &str) -> GetObjectRequest {
    GetObjectRequest { name: name.to_owned(), ..GetObjectRequest::default() }
}

/// The codes of the five methods, in the order of the contract.
async fn codes(system: &System, account: &str) -> [Code; 5] {
    fn code<T>(answer: Result<T, tonic::Status>) -> Code {
        answer.err().map_or(Code::Ok, |status| status.code())
    }
    let client = system.inbox(account);
    let list = ListObjectsRequest { filter: Some(failed()), ..Default::default() };
    let replay = ReplayObjectsRequest { dry_run: true, all: true, ..Default::default() };
    [
        code(client.status(GetStatusRequest::default()).await),
        code(client.list(list).await),
        code(client.object(name("bad.csv")).await),
        code(client.replay(replay).await),
        code(client.watch().await),
    ]
}

async fn post(system: &System, account: &str, path: &str, body: &'static str) -> (u16, String) {
    let request = reqwest::Client::new().post(system.poller.join(path).unwrap());
    let answer = request.bearer_auth(system.token(account)).body(body).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn each_account_may_call_what_its_setting_allows_and_nothing_else() {
    let system = system().await;
    let refused = Code::PermissionDenied;
    for account in [CALLER, STRANGER] {
        assert_eq!(codes(&system, account).await, [refused; 5], "{account}");
    }
    let reader = codes(&system, READER).await;
    assert_eq!(reader, [Code::Ok, Code::Ok, Code::Ok, refused, Code::Ok]);
    let operator = codes(&system, OPERATOR).await;
    assert!(!operator.contains(&refused), "{operator:?}");
    for (path, body) in [
        ("inbox/status", "{}"),
        ("inbox/objects", r#"{"filter": {"place": "PLACE_FAILED"}}"#),
        ("inbox/object", r#"{"name": "bad.csv"}"#),
    ] {
        for (account, status) in [(READER, 200), (OPERATOR, 200), (CALLER, 403), (STRANGER, 403)] {
            let (answered, text) = post(&system, account, path, body).await;
            assert_eq!(answered, status, "{account} {path} {text}");
            // An account that no setting lists learns of none.
            assert!(account != CALLER || text.contains("BRIGADE_READERS"), "{text}");
        }
    }
    let replay = r#"{"all": true, "dryRun": true}"#;
    for account in [READER, CALLER, STRANGER] {
        let (status, text) = post(&system, account, "inbox/replay", replay).await;
        assert_eq!(status, 403, "{account}");
        assert!(account == STRANGER || text.contains("BRIGADE_OPERATORS"), "{text}");
    }
    assert_ne!(post(&system, OPERATOR, "inbox/replay", replay).await.0, 403);
    for account in [READER, OPERATOR, STRANGER] {
        for path in ["poll", "process", "events"] {
            assert_eq!(post(&system, account, path, "{}").await.0, 403, "{account} {path}");
        }
        let poll = system.poll_by(&system.client_of(account)).await;
        assert_eq!(poll.unwrap_err().code(), refused, "{account}");
    }
    system.poll().await.unwrap();
}

#[tokio::test]
async fn http_answers_the_messages_of_grpc_as_json() {
    let system = system().await;
    let (_, status) = post(&system, READER, "inbox/status", "").await;
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["waiting"]["value"], "1", "{status}");
    assert_eq!(status["failed"]["value"], "1", "{status}");
    let filter = r#"{"filter": {"place": "PLACE_FAILED", "match": "**/*.csv"}}"#;
    let (_, lines) = post(&system, READER, "inbox/objects", filter).await;
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["objects"][0]["path"], "bad.csv");
    assert_eq!(lines[0]["objects"][0]["statusCode"], 3);
    let (_, object) = post(&system, READER, "inbox/object", r#"{"name": "bad.csv"}"#).await;
    let object: Value = serde_json::from_str(&object).unwrap();
    assert_eq!(object["object"]["reason"], "no day", "{object}");
}

#[tokio::test]
async fn what_is_no_request_of_the_inbox_is_refused_with_its_field() {
    let system = system().await;
    for (path, body, status, words) in [
        ("inbox/status", "{", 400, "proto3 JSON"),
        ("inbox/status", r#"{"limit": "-1"}"#, 400, "limit"),
        ("inbox/objects", "", 400, "filter.place"),
        (
            "inbox/objects",
            r#"{"filter": {"place": "PLACE_INBOX", "kind": "x"}}"#,
            400,
            "filter.kind",
        ),
        ("inbox/object", r#"{"name": "gs://other/x"}"#, 400, "name"),
        ("inbox/object", r#"{"name": "none.csv"}"#, 404, r#"has \"none.csv\""#),
    ] {
        let (answered, text) = post(&system, READER, path, body).await;
        assert!(answered == status && text.contains(words), "{path} {body}: {answered} {text}");
    }
    let request = reqwest::Client::new().post(system.poller.join("inbox/status").unwrap());
    let request = request.header("content-encoding", "gzip").bearer_auth(system.token(READER));
    assert_eq!(request.send().await.unwrap().status(), 415);
    let missing = system.inbox(READER).object(name("none.csv")).await.unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);
}

#[tokio::test]
async fn a_watcher_sees_a_poll_and_ends_with_the_service() {
    let system = system().await;
    let mut events = system.inbox(READER).watch().await.unwrap();
    let mut seen = async || events.message().await.map(|response| response.unwrap().event.unwrap());
    assert!(matches!(seen().await, Ok(Event::Snapshot(_))));
    system.poll().await.unwrap();
    let mut dispatched = Vec::new();
    loop {
        match seen().await.unwrap() {
            Event::Dispatched(object) => dispatched.push(object.path),
            Event::Poll(poll) => {
                use brigade_proto::v1::poll_response::Event::Finished;
                if matches!(poll.event, Some(Finished(_))) {
                    break;
                }
            }
            _ => {}
        }
    }
    assert_eq!(dispatched, ["new.csv"]);
    system.stop_poller.cancel();
    assert_eq!(seen().await.unwrap_err().code(), Code::Unavailable);
}
