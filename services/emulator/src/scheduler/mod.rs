//! An emulator of Cloud Scheduler: ticks that POST with an ID token.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Client, StatusCode, redirect};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::identity::Issuer;

/// A job that POSTs to a URL at an interval.
///
/// Any 2xx is success. Other answers, and none, are tried again by [`RetryConfig`]; a tick that is due meanwhile is left
/// out. (Cloud Scheduler ends the retries then, and begins a tick behind an attempt that still runs.)
#[derive(Clone, Debug)]
pub struct Scheduler {
    /// The job's name, as it stands in its header.
    pub name: String,
    /// Where to.
    pub url: Url,
    /// What it sends, as JSON.
    pub body: serde_json::Value,
    /// The account whose token it sends.
    pub account: String,
    /// The token's audience.
    pub audience: String,
    /// From tick to tick. One that is due while the last one still runs is left out.
    pub every: Duration,
    /// How a tick that fails is tried again.
    pub retry: RetryConfig,
}

/// How a tick is tried again, with the names and the defaults of Cloud Scheduler's `RetryConfig` and `Job`.
///
/// Not played: `maxRetryDuration`, whose default sets no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryConfig {
    /// `retryCount`: attempts after the first, at most 5. The default is 0: a tick that fails waits for the next one.
    pub retry_count: u32,
    /// `minBackoffDuration`: the first pause.
    pub min_backoff: Duration,
    /// `maxBackoffDuration`: the longest pause.
    pub max_backoff: Duration,
    /// `maxDoublings`: how often the pause doubles before it grows by the same length each time.
    pub max_doublings: u32,
    /// `attemptDeadline`: how long one attempt may take, 15 s to 30 min.
    pub attempt_deadline: Duration,
}

/// What Cloud Scheduler takes as `retryCount`.
const MAX_RETRIES: u32 = 5;

impl Default for RetryConfig {
    fn default() -> Self {
        Self {
            retry_count: 0,
            min_backoff: Duration::from_secs(5),
            max_backoff: Duration::from_hours(1),
            max_doublings: 5,
            attempt_deadline: Duration::from_mins(3),
        }
    }
}

impl RetryConfig {
    /// The pause before the `number`th retry, from 1.
    ///
    /// It begins at `min_backoff`, doubles `max_doublings` times, then grows by the last step each time, up to `max_backoff`:
    /// 10 s, 300 s and 3 give 10, 20, 40, 80, 160, 240, 300, 300 s.
    fn pause(&self, number: u32) -> Duration {
        let doubled = number.saturating_sub(1).min(self.max_doublings);
        let step = self.min_backoff.saturating_mul(2_u32.saturating_pow(doubled));
        let times = number.saturating_sub(self.max_doublings).max(1);
        step.saturating_mul(times).min(self.max_backoff)
    }
}

impl Scheduler {
    /// Ticks until `stop`; the first tick comes at once. A call in flight is dropped then.
    pub async fn run(self, issuer: Issuer, stop: CancellationToken) {
        let client = Client::builder()
            .no_proxy()
            .timeout(self.retry.attempt_deadline)
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
                self.tick(&client, &issuer).await;
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = ticking => {}
        }
    }

    /// One tick: an attempt, and more of them while it does not succeed.
    async fn tick(&self, client: &Client, issuer: &Issuer) {
        let time = format!("{:.3}", Timestamp::now());
        for attempt in 0..=self.retry.retry_count.min(MAX_RETRIES) {
            if attempt > 0 {
                sleep(self.retry.pause(attempt)).await;
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
            .json(&self.body)
            .send()
            .await?;
        Ok(response.status())
    }
}

#[cfg(test)]
mod tests;
