//! Cloud Scheduler's stand-in: ticks that POST with an ID token.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Client, header::AUTHORIZATION};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::identity::Issuer;

/// Cloud Scheduler's own defaults: attempts after the first, and the pauses between them.
const RETRIES: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Cloud Scheduler's default for one attempt.
const ATTEMPT: Duration = Duration::from_mins(3);

/// A job that POSTs `{}` to a URL at an interval.
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
    /// From tick to tick. One that is late because the last one is still running is left out.
    pub every: Duration,
}

impl Scheduler {
    /// Ticks until it is told to stop; the first tick comes at once.
    pub async fn run(self, issuer: Issuer, stop: CancellationToken) {
        let client = Client::builder().no_proxy().timeout(ATTEMPT).build();
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
            () = stop.cancelled() => {}
            () = ticking => {}
        }
    }

    /// One tick: an attempt, and more of them while it is not answered by 2xx.
    async fn tick(&self, client: &Client, issuer: &Issuer) {
        let time = Timestamp::now().to_string();
        let mut pause = FIRST_PAUSE;
        for attempt in 0..=RETRIES {
            match self.attempt(client, issuer, &time).await {
                Ok(status) if status.is_success() => return,
                Ok(status) => {
                    tracing::warn!(job = self.name, attempt, %status, "the tick was not accepted")
                }
                Err(error) => {
                    tracing::warn!(job = self.name, attempt, %error, "the tick got no answer")
                }
            }
            sleep(pause).await;
            pause *= 2;
        }
    }

    async fn attempt(
        &self,
        client: &Client,
        issuer: &Issuer,
        time: &str,
    ) -> reqwest::Result<reqwest::StatusCode> {
        let token = issuer.mint(&self.account, &self.audience);
        let response = client
            .post(self.url.clone())
            .header(AUTHORIZATION, format!("Bearer {token}"))
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
