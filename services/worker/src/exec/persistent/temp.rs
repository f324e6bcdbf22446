//! A directory for the temporary files of one process.

use std::{io, path::Path, sync::Arc};

use tempfile::TempDir;
use tokio::task::spawn_blocking;

use super::super::{
    base_dir::{self, BaseDir},
    removal::remove_or_warn,
};

/// It is removed when this is dropped. Then the one that it is in may go: fields are dropped in this order.
#[derive(Debug)]
pub(super) struct Temp {
    directory: TempDir,
    _base: Arc<BaseDir>,
}

// === impl Temp ===

impl Temp {
    pub(super) fn create() -> io::Result<Self> {
        let (directory, base) = base_dir::create_run()?;
        Ok(Self { directory, _base: base })
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Removes it on a blocking thread: a program may leave very many files.
    pub(super) async fn remove(self) {
        let removed = spawn_blocking(move || remove_or_warn(self.path(), "process"));
        // Without a runtime it is dropped.
        let _ = removed.await;
    }
}
