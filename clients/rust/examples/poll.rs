//! Polls once, and prints what becomes of each object.

#![allow(clippy::print_stdout, reason = "a program for people")]

use brigade_client::PollerClient;
use brigade_proto::v1::{PollRequest, poll_response::Event};

/// Polls the poller at `url`, with this environment's identity.
pub async fn poll(url: &str) -> Result<(), Box<dyn std::error::Error>> {
    let poller = PollerClient::connect(url)?;
    let mut events = poller.poll(PollRequest::default()).await?;
    while let Some(response) = events.message().await? {
        if let Some(Event::Settled(settled)) = response.event {
            let name = settled.object.clone().unwrap_or_default().name;
            println!("{name}: {:?} {}", settled.settlement(), settled.summary);
        }
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    poll(&std::env::args().nth(1).ok_or("give the poller's URL")?).await
}
