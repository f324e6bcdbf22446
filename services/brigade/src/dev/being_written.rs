//! The files of the inbox that are no objects yet, because a program writes them.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use brigade_emulator::storage::BeingWritten;
use tokio::{task::spawn_blocking, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{
    settings::{BUCKET, INBOX},
    system::System,
    table::Table,
};

/// How long `--once` waits for a file that does not come to rest.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it looks, and after which time it polls again, because other files may have come.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const POLL_AFTER: Duration = Duration::from_secs(5);

impl System {
    /// The files that a poll would ask about if they had rested.
    pub(super) async fn being_written(&self) -> Vec<BeingWritten> {
        let bucket = self.emulator.storage().bucket(BUCKET);
        let found = spawn_blocking(move || bucket.being_written(INBOX)).await;
        let mut files = found.ok().and_then(Result::ok).unwrap_or_default();
        files.retain(|file| self.watched.is_wanted(&file.name));
        files
    }

    /// Waits until a poll may find more. False when no file is being written, or none has come to rest for too long.
    pub(super) async fn wait_for_writers(
        &self,
        table: &mut Table<impl Write>,
        shutdown: &CancellationToken,
    ) -> bool {
        let (began, mut before) = (Instant::now(), 0);
        loop {
            let files = self.being_written().await;
            let _ = table.being_written(&files);
            // One that is gone may have another name now.
            let is_news = files.len() < before || files.iter().any(|file| file.has_rested);
            if !is_news && files.iter().all(|file| file.waited >= PATIENCE) {
                return false;
            }
            tokio::select! {
                () = shutdown.cancelled() => return false,
                () = sleep(LOOK_EVERY) => {}
            }
            if is_news || began.elapsed() >= POLL_AFTER {
                return true;
            }
            before = files.len();
        }
    }
}
