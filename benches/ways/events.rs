//! `POST /events`, as Pub/Sub and Eventarc send it.

use brigade_client::identity::origin;
use reqwest::Client;
use serde_json::json;
use tokio::runtime::Runtime;

use crate::{
    BUDGET, Scale, bare, rate,
    rounds::{Paired, paired},
    system::System,
    wiring::{ACCOUNT, BUCKET},
};

const AT_ONCE: usize = 50;

#[derive(Clone, Copy)]
pub(crate) enum Form {
    PubSub,
    Eventarc,
}

impl Form {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::PubSub => "Pub/Sub",
            Self::Eventarc => "Eventarc",
        }
    }
}

pub(crate) fn measure(scale: &Scale, runtime: &Runtime, system: &System, form: Form) -> Paired {
    let client = Client::new();
    let token = system.emulator.identity().mint(ACCOUNT, &origin(&system.poller_url));
    let url = system.poller_url.join("events").unwrap();
    let send = async |(name, generation): (String, i64)| {
        let request = client.post(url.clone()).bearer_auth(&token);
        let request = match form {
            Form::PubSub => request.json(&push(&name, generation)),
            Form::Eventarc => request
                .header("ce-specversion", "1.0")
                .header("ce-id", generation.to_string())
                .header(
                    "ce-source",
                    format!("//storage.googleapis.com/projects/_/buckets/{BUCKET}"),
                )
                .header("ce-type", "google.cloud.storage.object.v1.finalized")
                .json(
                    &json!({"bucket": BUCKET, "name": name, "generation": generation.to_string()}),
                ),
        };
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    };
    paired(
        scale.rounds,
        || {
            let objects = laid(system, scale.objects);
            let rate = runtime.block_on(rate(objects, AT_ONCE, &send));
            assert!(system.emulator.storage().list("incoming/").unwrap().is_empty());
            rate
        },
        || {
            let objects = laid(system, scale.objects);
            let ask = |request| system.worker.process(request, BUDGET);
            let one = async |(name, _): (String, i64)| {
                // Is it still that generation?
                let object = system.bucket.get(&name).await.unwrap();
                bare::one(&*system.bucket, &ask, &object).await;
            };
            runtime.block_on(rate(objects, AT_ONCE, one))
        },
    )
}

/// Names and generations of objects that wait in the inbox.
fn laid(system: &System, objects: usize) -> Vec<(String, i64)> {
    system.lay(objects);
    let listed = system.emulator.storage().list("incoming/").unwrap();
    listed.into_iter().map(|object| (object.name.clone(), object.generation)).collect()
}

fn push(name: &str, generation: i64) -> serde_json::Value {
    json!({
        "message": {
            "attributes": {
                "eventType": "OBJECT_FINALIZE", "payloadFormat": "NONE", "bucketId": BUCKET,
                "objectId": name, "objectGeneration": generation.to_string(),
            },
            "messageId": generation.to_string(),
            "publishTime": "2021-02-26T19:13:55.749Z",
        },
        "subscription": "projects/p/subscriptions/s",
    })
}
