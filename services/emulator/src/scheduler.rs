//! Cloud Scheduler's stand-in: ticks that POST with an ID token.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Client, StatusCode, redirect};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::identity::Issuer;

/// How long one attempt may take: Cloud Scheduler's default attempt deadline.
const ATTEMPT: Duration = Duration::from_mins(3);

/// A job that POSTs `{}` to a URL at an interval.
///
/// Any 2xx is success. Other answers, and none, are tried again with growing pauses; the next tick waits for that.
#[derive(Clone, Debug)]
pub struct Scheduler {
    /// The job's name, as it stands in its header.
    pub name: String,
    /// Where to.
    pub url: Url,
    /// Whose token it sends.
    pub account: String,
    /// The token's audience.
    pub audience: String,
    /// From tick to tick. One that is due while the last one still runs is left out.
    pub every: Duration,
}

/// How a tick is tried again.
#[derive(Clone, Copy, Debug)]
struct Retry {
    /// Attempts after the first.
    count: u32,
    /// The pause before the first of them; each is twice as long as the one before.
    pause: Duration,
}

/// Cloud Scheduler's default pause, and as many attempts as fit into the life of one token.
const RETRY: Retry = Retry {
    count: 3,
    pause: Duration::from_secs(5),
};

impl Scheduler {
    /// Ticks until it is told to stop; the first tick comes at once. A call in flight is dropped then.
    pub async fn run(self, issuer: Issuer, stop: CancellationToken) {
        self.run_with(RETRY, issuer, stop).await;
    }

    async fn run_with(self, retry: Retry, issuer: Issuer, stop: CancellationToken) {
        let client = Client::builder()
            .no_proxy()
            .timeout(ATTEMPT)
            .redirect(redirect::Policy::none())
            .build();
        let client = match client {
            Ok(client) => client,
            Err(error) => return tracing::error!(%error, "the scheduler has no HTTP client"),
        };
        let mut ticks = interval(self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let ticking = async {
            loop {
                ticks.tick().await;
                self.tick(retry, &client, &issuer).await;
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = ticking => {}
        }
    }

    /// One tick: an attempt, and more of them while it does not succeed.
    async fn tick(&self, retry: Retry, client: &Client, issuer: &Issuer) {
        let time = format!("{:.3}", Timestamp::now());
        let mut pause = retry.pause;
        for attempt in 0..=retry.count {
            if attempt > 0 {
                sleep(pause).await;
                pause *= 2;
            }
            match self.attempt(client, issuer, &time).await {
                Ok(status) if status.is_success() => {
                    return tracing::debug!(
                        job = self.name,
                        attempt,
                        status = status.as_u16(),
                        "the tick succeeded"
                    );
                }
                Ok(status) => {
                    tracing::warn!(
                        job = self.name,
                        attempt,
                        status = status.as_u16(),
                        "the tick was not accepted"
                    );
                }
                Err(error) => {
                    tracing::warn!(job = self.name, attempt, %error, "the tick got no answer");
                }
            }
        }
    }

    /// All attempts of a tick bear its time.
    async fn attempt(
        &self,
        client: &Client,
        issuer: &Issuer,
        time: &str,
    ) -> reqwest::Result<StatusCode> {
        let response = client
            .post(self.url.clone())
            .bearer_auth(issuer.mint(&self.account, &self.audience))
            .header("user-agent", "Google-Cloud-Scheduler")
            .header("x-cloudscheduler", "true")
            .header("x-cloudscheduler-jobname", &self.name)
            .header("x-cloudscheduler-scheduletime", time)
            .json(&serde_json::json!({}))
            .send()
            .await?;
        Ok(response.status())
    }
}

#[cfg(test)]
mod tests;
