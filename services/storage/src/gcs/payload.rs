//! A content as the official client takes it.

use std::io;

use bytes::Bytes;
use google_cloud_storage::streaming_source::{Seek, SizeHint, StreamingSource};

use crate::content::Content;

/// A content, and how far it was sent.
pub(super) struct Payload {
    content: Content,
    offset: u64,
}

impl From<Content> for Payload {
    fn from(content: Content) -> Self {
        Self { content, offset: 0 }
    }
}

impl StreamingSource for Payload {
    type Error = io::Error;

    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        let piece = match &self.content {
            Content::Bytes(bytes) => {
                let rest = usize::try_from(self.offset).ok();
                let rest = rest.filter(|offset| *offset < bytes.len());
                Ok(rest.map(|offset| bytes.slice(offset..)))
            }
            Content::File(file) => file.piece(self.offset).await,
        };
        if let Ok(Some(piece)) = &piece {
            self.offset += piece.len() as u64;
        }
        piece.transpose()
    }

    async fn size_hint(&self) -> io::Result<SizeHint> {
        Ok(SizeHint::with_exact(self.content.size()))
    }
}

impl Seek for Payload {
    type Error = io::Error;

    async fn seek(&mut self, offset: u64) -> io::Result<()> {
        self.offset = offset;
        Ok(())
    }
}
