//! Downloads the content into a file.

use std::path::Path;

use futures::StreamExt as _;
use tokio::{
    fs::{self, File},
    io::AsyncWriteExt as _,
};

use super::Job;
use crate::error::ProcessError;

impl Job {
    /// Downloads the checked content into a new file. After a failure there is no file, and an existing file is not touched.
    pub async fn download(&self, path: &Path) -> Result<(), ProcessError> {
        let file = File::create_new(path).await?;
        let done = self.fill(file).await;
        if done.is_err() {
            // The first error is the one to report.
            let _ = fs::remove_file(path).await;
        }
        done
    }

    async fn fill(&self, mut file: File) -> Result<(), ProcessError> {
        let mut chunks = self.read().await?;
        while let Some(chunk) = chunks.next().await {
            file.write_all(&chunk?).await?;
        }
        // Closing does not report whether the last write succeeded.
        file.flush().await?;
        Ok(())
    }
}
