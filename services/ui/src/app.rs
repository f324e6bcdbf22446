//! What all routes share.

use std::sync::Arc;

use brigade_client::{InboxClient, PollerClient};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::{access::Access, live::Live, uploads::Uploads, view::Frame};

/// Event streams at once: one for each browser that shows the page.
const STREAMS: usize = 16;
/// What the page shows, and with whose identity.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Sees and replays.
    pub inbox: InboxClient,
    /// Polls.
    pub poller: PollerClient,
    /// Names the poller to a person.
    pub what: String,
    /// Takes files that are dropped onto the page; without it the page takes none.
    pub uploads: Option<Arc<dyn Uploads>>,
    /// More values of `Host` that are allowed, such as that of a forwarded port.
    pub hosts: Vec<String>,
}

/// What all routes share.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) settings: Settings,
    pub(crate) access: Arc<Access>,
    pub(crate) live: Arc<Live>,
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) shutdown: CancellationToken,
}

impl App {
    pub(crate) fn new(
        settings: Settings,
        access: Access,
        live: Arc<Live>,
        shutdown: CancellationToken,
    ) -> Self {
        let streams = Arc::new(Semaphore::new(STREAMS));
        Self { settings, access: Arc::new(access), live, streams, shutdown }
    }

    pub(crate) fn frame(&self) -> Frame {
        Frame {
            what: self.settings.what.clone(),
            token: self.access.token().to_owned(),
            takes_files: self.settings.uploads.is_some(),
            minutes: self.live.minutes(),
            since: self.live.since,
        }
    }
}
