//! The emulator, running.

use std::net::SocketAddr;

use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    error::StartError,
    frontend::{FrontEnd, Service},
    identity::{ISSUER, Issuer, JWKS_PATH},
    storage::Storage,
};

/// The emulator of Google, running: storage over gRPC and JSON, and identity, on one port. It stops when it is dropped.
///
/// ```
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// let google = brigade_emulator::Emulator::builder()
///     .bucket("some-bucket")
///     .service_account("poller@brigade-dev.iam.gserviceaccount.com")
///     .start(listener)
///     .await?;
/// google.storage().put("incoming/a.csv", "day,reaction_ms\n")?;
/// for (name, value) in google.env() {
///     println!("export {name}={value}");
/// }
/// google.stop().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Emulator {
    address: SocketAddr,
    url: Url,
    storage: Storage,
    issuer: Issuer,
    stop: CancellationToken,
    server: Option<JoinHandle<()>>,
}

impl Emulator {
    pub(crate) fn new(
        address: SocketAddr,
        storage: Storage,
        issuer: Issuer,
        stop: CancellationToken,
        server: JoinHandle<()>,
    ) -> Self {
        let url = format!("http://{address}").parse().expect("an IP address and a port make a URL");
        Self { address, url, storage, issuer, stop, server: Some(server) }
    }

    /// `http://127.0.0.1:PORT`: both storage APIs, the metadata server, the keys and the token exchange.
    pub fn url(&self) -> Url {
        self.url.clone()
    }

    /// The environment that points production code here: names and values.
    pub fn env(&self) -> Vec<(String, String)> {
        let authority = self.address.to_string();
        let origin = format!("http://{authority}");
        [
            ("STORAGE_EMULATOR_HOST", origin.clone()),
            ("STORAGE_EMULATOR_HOST_GRPC", authority.clone()),
            ("GCE_METADATA_HOST", authority.clone()),
            // Google's Python library asks here whether there is a metadata server, and then uses the other.
            ("GCE_METADATA_IP", authority),
            ("CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS", origin.clone()),
            ("BRIGADE_JWKS_URL", format!("{origin}{JWKS_PATH}")),
            ("BRIGADE_ISSUERS", ISSUER.to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// The issuer of tokens.
    pub fn identity(&self) -> &Issuer {
        &self.issuer
    }

    /// Puts a front end before a service, on this listener, as Cloud Run puts one before a container. It takes this
    /// emulator's tokens, and needs nothing else of it: it continues when the emulator is stopped.
    ///
    /// # Errors
    /// When the listener is not on a loopback address. Nothing is served then.
    pub fn front_end(
        &self,
        listener: TcpListener,
        service: &Service,
    ) -> Result<FrontEnd, StartError> {
        FrontEnd::start(listener, self.issuer.clone(), service)
    }

    /// The storage, behind the wire.
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// Stops serving: calls in flight may end within two seconds, then every connection is closed.
    pub async fn stop(mut self) {
        self.stop.cancel();
        if let Some(server) = self.server.take() {
            // It ends by itself, or has panicked and is gone.
            let _ = server.await;
        }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[cfg(test)]
mod tests;
