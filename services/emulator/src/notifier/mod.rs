//! An emulator of Pub/Sub: pushes a storage notification for each new object of a bucket, with an ID token.

use std::{collections::HashMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use reqwest::{Client, StatusCode, redirect};
use serde_json::{Value, json};
use tokio::{
    sync::Semaphore,
    task::{JoinSet, spawn_blocking},
    time::{MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    identity::Issuer,
    storage::{Object, Storage},
};

/// Messages under way at once.
const MAX_IN_FLIGHT: usize = 64;
/// Pub/Sub's longest acknowledgement deadline.
const ACK_DEADLINE: Duration = Duration::from_mins(10);
/// Pauses between deliveries of one message: Pub/Sub's push backoff goes from 100 ms to 60 s.
const BACKOFF_MIN: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_mins(1);

/// A notification of a bucket, its topic, and a push subscription to that, in one.
///
/// Each object that appears, or gets another generation, is one message: wrapped, without a payload. What is there at the
/// start is announced too. A message comes again until it is acknowledged, by 102, 200, 201, 202 or 204.
#[derive(Clone, Debug)]
pub struct Notifier {
    /// The bucket.
    pub bucket: String,
    /// The subscription's name, as it stands in each push.
    pub subscription: String,
    /// Where to.
    pub url: Url,
    /// The account whose token it sends.
    pub account: String,
    /// The token's audience.
    pub audience: String,
    /// How often it looks; changes of files in a directory are not announced.
    pub look_every: Duration,
}

impl Notifier {
    /// Pushes until `stop`; messages under way are dropped then.
    pub async fn run(self, storage: Storage, issuer: Issuer, stop: CancellationToken) {
        let client = Client::builder()
            .no_proxy()
            .timeout(ACK_DEADLINE)
            .redirect(redirect::Policy::none())
            .build();
        let client = match client {
            Ok(client) => client,
            Err(error) => return tracing::error!(%error, "the notifier has no HTTP client"),
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = self.watch(storage, &issuer, &client) => {}
        }
    }

    async fn watch(&self, storage: Storage, issuer: &Issuer, client: &Client) {
        let mut seen = HashMap::new();
        let mut under_way = JoinSet::new();
        let places = Arc::new(Semaphore::new(MAX_IN_FLIGHT));
        let mut looks = interval(self.look_every);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            while under_way.try_join_next().is_some() {}
            for object in self.fresh(&storage, &mut seen).await {
                let (notifier, places) = (self.clone(), places.clone());
                let (issuer, client) = (issuer.clone(), client.clone());
                under_way.spawn(async move {
                    // It is never closed.
                    let _place = places.acquire().await;
                    notifier.deliver(&object, &issuer, &client).await;
                });
            }
        }
    }

    /// Objects that were not there at the last look, or not in this generation.
    async fn fresh(&self, storage: &Storage, seen: &mut HashMap<String, i64>) -> Vec<Object> {
        let bucket = storage.bucket(&self.bucket);
        let listed = match spawn_blocking(move || bucket.list("")).await {
            Ok(Ok(objects)) => objects,
            Ok(Err(refusal)) => {
                tracing::warn!(%refusal, "the notifier cannot list its bucket");
                return Vec::new();
            }
            Err(_) => return Vec::new(),
        };
        let now = listed.iter().map(|object| (object.name.clone(), object.generation));
        let before = std::mem::replace(seen, now.collect());
        let is_fresh = |object: &Object| before.get(&object.name) != Some(&object.generation);
        listed.into_iter().filter(is_fresh).collect()
    }

    /// Sends one message until it is acknowledged.
    async fn deliver(&self, object: &Object, issuer: &Issuer, client: &Client) {
        let mut pause = BACKOFF_MIN;
        let message = self.message(object);
        for attempt in 1_u64.. {
            let answer = self.attempt(&message, issuer, client).await;
            let name = &object.name;
            match answer {
                Ok(status) if is_acknowledged(status) => return,
                Ok(status) => {
                    tracing::warn!(
                        name,
                        attempt,
                        status = status.as_u16(),
                        "the push was not acknowledged"
                    );
                }
                Err(error) => tracing::warn!(name, attempt, %error, "the push got no answer"),
            }
            sleep(pause).await;
            pause = (pause * 2).min(BACKOFF_MAX);
        }
    }

    fn message(&self, object: &Object) -> Value {
        let (id, time) = (object.generation.to_string(), Timestamp::now().to_string());
        json!({
            "attributes": {
                "notificationConfig": format!("projects/_/buckets/{}/notificationConfigs/1", self.bucket),
                "eventType": "OBJECT_FINALIZE",
                "payloadFormat": "NONE",
                "bucketId": self.bucket,
                "objectId": object.name,
                "objectGeneration": object.generation.to_string(),
                "eventTime": time,
            },
            "messageId": id,
            "message_id": id,
            "publishTime": time,
            "publish_time": time,
        })
    }

    async fn attempt(
        &self,
        message: &Value,
        issuer: &Issuer,
        client: &Client,
    ) -> reqwest::Result<StatusCode> {
        // Without a dead-letter policy Pub/Sub tells no `deliveryAttempt`.
        let envelope = json!({"message": message, "subscription": self.subscription});
        let response = client
            .post(self.url.clone())
            .bearer_auth(issuer.mint(&self.account, &self.audience))
            .header(
                "user-agent",
                "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)",
            )
            .json(&envelope)
            .send()
            .await?;
        Ok(response.status())
    }
}

fn is_acknowledged(status: StatusCode) -> bool {
    matches!(status.as_u16(), 102 | 200 | 201 | 202 | 204)
}

#[cfg(test)]
mod tests;
