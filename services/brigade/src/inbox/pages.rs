//! Streams of a poller that continue after they broke off.

use std::{ops::ControlFlow, time::Duration};

use brigade_client::InboxClient;
use brigade_proto::v1::{InboxObject, ListObjectsRequest, ObjectFilter};
use tonic::{Code, Status};

use super::out::{Stop, note};

/// A stream that breaks off so often without any progress is given up.
const TIMES: u32 = 4;
/// The first pause; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(500);

/// Whether a stream is continued.
#[derive(Debug, Default)]
pub(super) struct Resume {
    broken: u32,
}

// === impl Resume ===

impl Resume {
    /// The stream went on.
    pub(super) fn progressed(&mut self) {
        self.broken = 0;
    }

    /// Waits before the stream is continued, or returns the status of one that is given up.
    pub(super) async fn after(&mut self, status: Status) -> Result<(), Status> {
        if !is_broken(&status) || self.broken == TIMES {
            return Err(status);
        }
        note(&format!("the poller's answer broke off, and is continued: {}", status.message()));
        tokio::time::sleep(PAUSE * 2_u32.pow(self.broken)).await;
        self.broken += 1;
        Ok(())
    }
}

/// Whether the transport or the poller failed, and not the request.
pub(super) fn is_broken(status: &Status) -> bool {
    use Code::{Aborted, Cancelled, DeadlineExceeded, Internal, Unavailable, Unknown};
    matches!(
        status.code(),
        Unavailable | Unknown | Internal | Cancelled | Aborted | DeadlineExceeded
    )
}

/// Passes on each object that the filter selects, in the order of names, with the number of objects that were looked at, until
/// `each` has enough.
pub(super) async fn each_object(
    client: &InboxClient,
    filter: &ObjectFilter,
    mut each: impl FnMut(InboxObject, u64) -> Result<ControlFlow<()>, Stop>,
) -> Result<(), Stop> {
    let mut resume = Resume::default();
    let mut request =
        ListObjectsRequest { filter: Some(filter.clone()), ..ListObjectsRequest::default() };
    let mut before = 0;
    'calls: loop {
        let mut stream = client.list(request.clone()).await?;
        let mut scanned = 0;
        loop {
            let page = match stream.message().await {
                Ok(Some(page)) => page,
                Ok(None) => return Ok(()),
                Err(status) => {
                    resume.after(status).await?;
                    before += scanned;
                    continue 'calls;
                }
            };
            resume.progressed();
            scanned = page.scanned.try_into().unwrap_or(0);
            for object in page.objects {
                if each(object, before + scanned)?.is_break() {
                    return Ok(());
                }
            }
            if page.next_page_token.is_empty() {
                return Ok(());
            }
            request.page_token = page.next_page_token;
        }
    }
}
