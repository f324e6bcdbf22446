//! The client of a poller.

use std::sync::Arc;

use brigade_proto::v1::{PollRequest, PollResponse, poller_service_client::PollerServiceClient};
use tonic::{Status, Streaming};
use url::Url;

use crate::{
    connect::{ConnectError, Stack, stack},
    identity::TokenSource,
};

const MAX_MESSAGE: usize = 64 * 1024;

/// Asks one poller to poll. Cloning is cheap; clones share the connection.
///
/// ```no_run
/// use brigade_client::{PollerClient, identity::{self, Environment}};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let identity = identity::source(&Environment::from_env())?;
/// let poller = PollerClient::new(&"https://poller.example.run.app".parse()?, Some(identity), None)?;
/// let mut events = poller.poll(Default::default()).await?;
/// while let Some(event) = events.message().await? {
///     println!("{event:?}");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct PollerClient {
    client: PollerServiceClient<Stack>,
}

impl PollerClient {
    /// A client of the poller at `url`; it connects at its first call. Without an identity it sends no token. The
    /// audience is the URL's origin unless another is given.
    pub fn new(
        url: &Url,
        identity: Option<Arc<dyn TokenSource>>,
        audience: Option<&str>,
    ) -> Result<Self, ConnectError> {
        let stack = stack(url, identity, audience)?;
        let client = PollerServiceClient::new(stack).max_decoding_message_size(MAX_MESSAGE);
        Ok(Self { client })
    }

    /// Polls once. The events arrive as they happen; dropping them cancels the poll.
    pub async fn poll(&self, request: PollRequest) -> Result<Streaming<PollResponse>, Status> {
        Ok(self.client.clone().poll(request).await?.into_inner())
    }
}
