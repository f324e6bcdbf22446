//! The page: what waits, what failed and why, and a button to run it again.
//!
//! It calls a poller's services alone, with the identity of the account that started it, and never reads the bucket. The
//! browser needs the cookie that [`Page::url`] sets: see "The page" in `docs/SECURITY-MODEL.md`.

mod access;
mod app;
mod change;
pub mod csv;
mod events;
mod listing;
mod live;
pub mod parse;
mod query;
mod routes;
mod spark;
pub mod text;
mod uploads;
mod view;

#[cfg(test)]
mod tests;

use std::{io, sync::Arc, time::Duration};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{access::Access, app::App, live::Live};

pub use app::Settings;
pub use uploads::{UploadError, Uploads};

/// How long answers in flight may take at a shutdown.
const GRACE: Duration = Duration::from_secs(2);

/// The page, ready to be served.
#[derive(Debug)]
pub struct Page {
    listener: TcpListener,
    settings: Settings,
    access: Access,
    port: u16,
}

// === impl Page ===

impl Page {
    /// A page on this listener, which must be one of this machine alone.
    ///
    /// # Errors
    /// When the listener has no address, or the system gives no random numbers.
    pub fn new(listener: TcpListener, settings: Settings) -> io::Result<Self> {
        let port = listener.local_addr()?.port();
        let access = Access::new(port, &settings.hosts)?;
        Ok(Self { listener, settings, access, port })
    }

    /// The address that opens the page in one browser. It works once.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/open?key={}", self.port, self.access.key())
    }

    /// Serves until `shutdown`, and ends within two seconds then.
    pub async fn serve(self, shutdown: CancellationToken) -> io::Result<()> {
        let live = Arc::new(Live::new());
        let following = live::follow(self.settings.inbox.clone(), live.clone(), shutdown.clone());
        let following = tokio::spawn(following);
        let app = App::new(self.settings, self.access, live, shutdown.clone());
        let served = axum::serve(self.listener, routes::router(app))
            .with_graceful_shutdown(shutdown.clone().cancelled_owned());
        let grace = async {
            shutdown.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        let ended = tokio::select! {
            ended = served.into_future() => ended,
            () = grace => Ok(()),
        };
        following.abort();
        ended
    }
}
