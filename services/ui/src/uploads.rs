//! Where a file goes that is dropped onto the page.

use std::{fmt, fs::File, io, io::Write as _};

use async_trait::async_trait;
use axum::body::Body;
use futures::TryStreamExt as _;
use tokio::sync::mpsc;

/// The largest file that the page takes.
const MAX_FILE: u64 = 1 << 30;

/// Takes files for the inbox.
#[async_trait]
pub trait Uploads: fmt::Debug + Send + Sync + 'static {
    /// Puts a file into the inbox. One that is there is replaced only with `replaces`.
    async fn upload(
        &self,
        name: &str,
        content: File,
        content_type: &str,
        replaces: bool,
    ) -> Result<(), UploadError>;
}

/// Why a file was not taken.
#[derive(Debug, PartialEq, Eq)]
pub enum UploadError {
    /// The inbox has an object of its name.
    Exists,
    /// Anything else; it says why.
    Refused(String),
}

/// A body as a file that is removed when it is closed. Its bytes are never in memory as a whole.
pub(crate) async fn receive(body: Body) -> io::Result<File> {
    let (pieces, mut received) = mpsc::channel::<axum::body::Bytes>(8);
    let writing = tokio::task::spawn_blocking(move || {
        let mut file = tempfile::tempfile()?;
        while let Some(piece) = received.blocking_recv() {
            file.write_all(&piece)?;
        }
        Ok(file)
    });
    let (mut body, mut size) = (body.into_data_stream(), 0);
    while let Some(piece) = body.try_next().await.map_err(io::Error::other)? {
        size += piece.len() as u64;
        if size > MAX_FILE {
            return Err(io::Error::other(
                "the file has more than 1 GiB; copy it into the directory instead",
            ));
        }
        // The writer is gone when the disk is full; it says so below.
        if pieces.send(piece).await.is_err() {
            break;
        }
    }
    drop(pieces);
    writing.await.map_err(io::Error::other)?
}
