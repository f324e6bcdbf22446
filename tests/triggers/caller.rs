//! Calls the poller as Google's services do, with a token of an account that may.

use std::time::Duration;

use brigade_worker::{Outcome, ProcessError, Processor};
use reqwest::{Client, header::HeaderMap};
use serde_json::{Value, json};

use crate::harness::{BUCKET, CALLER, System, scripted};

/// Does what an object's name says.
pub(crate) fn obeying() -> impl Processor {
    scripted(|job| {
        Box::pin(async move {
            match job.file_name() {
                "bad" => Err(ProcessError::refuse("line 2 is not a number")),
                "later" => {
                    let wait = Duration::from_secs(90);
                    Err(ProcessError::retry_after(wait, "loading"))
                }
                _ => Ok(Outcome::summary("done")),
            }
        })
    })
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<u64>,
    pub(crate) body: String,
}

/// One caller; its connections are kept.
pub(crate) struct Caller<'a> {
    system: &'a System,
    client: Client,
    token: String,
}

/// A request: headers and body.
pub(crate) type Request = (Vec<(String, String)>, String);

// === impl Caller ===

impl<'a> Caller<'a> {
    pub(crate) fn new(system: &'a System) -> Self {
        let audience = brigade_client::identity::origin(&system.poller);
        Self {
            system,
            client: Client::new(),
            token: system.emulator.identity().mint(CALLER, &audience),
        }
    }

    pub(crate) async fn post(
        &self,
        path: &str,
        headers: &[(String, String)],
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        let url = self.system.poller.join(path).unwrap();
        let mut request = self.client.post(url).bearer_auth(&self.token).body(body);
        for (name, value) in headers {
            request = request.header(name, value.as_bytes());
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let retry_after = number(response.headers());
        Answer { status, retry_after, body: response.text().await.unwrap() }
    }

    /// Sends an event. Returns its status.
    pub(crate) async fn event(&self, (headers, body): Request) -> u16 {
        self.post("events", &headers, body).await.status
    }

    /// Announces an object by a Pub/Sub push.
    pub(crate) async fn announce(&self, name: &str, generation: i64) -> Answer {
        let (headers, body) = push(&format!("incoming/{name}"), generation);
        self.post("events", &headers, body).await
    }
}

// === impl Answer ===

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

fn number(headers: &HeaderMap) -> Option<u64> {
    headers.get("retry-after")?.to_str().unwrap().parse().ok()
}

pub(crate) fn headers(given: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    given.iter().map(owned).collect()
}

/// A storage notification's attributes.
pub(crate) fn attributes(name: &str, generation: i64) -> Value {
    json!({
        "notificationConfig": format!("projects/_/buckets/{BUCKET}/notificationConfigs/3"),
        "eventType": "OBJECT_FINALIZE",
        "payloadFormat": "NONE",
        "bucketId": BUCKET,
        "objectId": name,
        "objectGeneration": generation.to_string(),
        "eventTime": "2026-03-04T10:00:00.123456Z",
    })
}

/// The push of a notification without a payload.
pub(crate) fn push(name: &str, generation: i64) -> Request {
    wrapped(&json!({"attributes": attributes(name, generation)}))
}

/// A message in Pub/Sub's envelope, whose keys come in both cases.
pub(crate) fn wrapped(message: &Value) -> Request {
    let mut message = message.clone();
    for (key, value) in [
        ("messageId", "2070443601311540"),
        ("message_id", "2070443601311540"),
        ("publishTime", "2021-02-26T19:13:55.749Z"),
        ("publish_time", "2021-02-26T19:13:55.749Z"),
    ] {
        message[key] = value.into();
    }
    let envelope = json!({
        "message": message,
        "subscription": "projects/myproject/subscriptions/mysubscription",
        "deliveryAttempt": 1,
    });
    (headers(&[("content-type", "application/json")]), envelope.to_string())
}
