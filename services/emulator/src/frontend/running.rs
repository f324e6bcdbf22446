//! A front end, running.

use std::sync::Arc;

use axum::{Router, body::Body};
use http::Request;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{
    fault::{Fault, HitCount},
    proxy::Proxy,
    service::Service,
};
use crate::{error::StartError, identity::Issuer, serve::serve};

/// A front end, running. It stops when it is dropped.
#[derive(Debug)]
pub struct FrontEnd {
    url: Url,
    proxy: Arc<Proxy>,
    stop: CancellationToken,
    server: Option<JoinHandle<()>>,
}

impl FrontEnd {
    pub(crate) fn start(
        listener: TcpListener,
        issuer: Issuer,
        service: &Service,
    ) -> Result<Self, StartError> {
        let address = listener.local_addr().map_err(StartError::Listener)?;
        if !address.ip().is_loopback() {
            return Err(StartError::NotLoopback { address });
        }
        let origin = format!("http://{address}");
        let proxy = Arc::new(Proxy::new(issuer, &origin, service));
        let handling = Arc::clone(&proxy);
        let router = Router::new().fallback(move |request: Request<Body>| {
            let proxy = Arc::clone(&handling);
            async move { proxy.handle(request).await }
        });
        let stop = CancellationToken::new();
        Ok(Self {
            url: origin.parse().expect("an IP address and a port make a URL"),
            proxy,
            server: Some(tokio::spawn(serve(listener, router, stop.clone()))),
            stop,
        })
    }

    /// `http://127.0.0.1:PORT`: the service's URL, and its tokens' audience.
    pub fn url(&self) -> Url {
        self.url.clone()
    }

    /// Lets the next calls meet a fault; the answer tells how many have met it. Faults are met one after another, in
    /// the order in which they were injected.
    pub fn fault(&self, fault: Fault) -> HitCount {
        self.proxy.faults.arm(fault)
    }

    /// Stops: calls in flight may end within two seconds, then every connection is closed.
    pub async fn stop(mut self) {
        self.stop.cancel();
        if let Some(server) = self.server.take() {
            // It ends by itself, or has panicked and is gone.
            let _ = server.await;
        }
    }
}

impl Drop for FrontEnd {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
