//! What an upload is to become.

use super::receive::Receiver;
use crate::storage::handle::Storage;
use brigade_model::{Conditions, Object, Result, Upload};

/// What an upload is to become.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) bucket: String,
    pub(super) name: String,
    pub(super) conditions: Conditions,
}

impl Target {
    /// Begins to receive a content. A wrong name and a missing bucket are known at once.
    pub(super) async fn receiver(&self, storage: &Storage) -> Result<Receiver> {
        let (bucket, name) = (self.bucket.clone(), self.name.clone());
        storage.run(move |model| model.begin_upload(&bucket, &name)).await.map(Receiver::new)
    }

    /// Makes an object of a content that is complete.
    pub(super) async fn insert(
        self,
        storage: &Storage,
        mut upload: Upload,
        content: &Receiver,
    ) -> Result<Object> {
        (upload.content, upload.digest) = content.finish().await?;
        storage
            .run(move |model| model.insert(&self.bucket, &self.name, upload, &self.conditions))
            .await
    }
}
