//! The page of `brigade dev`: files that are dropped onto it go into the inbox.

use std::{fs::File, path::Path, sync::Arc};

use async_trait::async_trait;
use brigade_client::{InboxClient, PollerClient};
use brigade_runtime::exit::Failure;
use brigade_storage::{FileContent, NewObject, Store as _, gcs::GcsStore, object::ObjectRef};
use brigade_ui::{Page, Settings, UploadError, Uploads};
use tokio::net::TcpListener;

use super::settings::{BUCKET, INBOX};

#[derive(Debug)]
struct Inbox(Arc<GcsStore>);

/// A page for the developer.
pub(super) fn new(
    listener: TcpListener,
    inbox: InboxClient,
    poller: PollerClient,
    store: Arc<GcsStore>,
    data: &Path,
) -> Result<Page, Failure> {
    let what = format!("brigade dev over {}", data.display());
    let uploads: Arc<dyn Uploads> = Arc::new(Inbox(store));
    let settings = Settings { inbox, poller, what, uploads: Some(uploads), hosts: Vec::new() };
    Page::new(listener, settings).map_err(|error| Failure::unavailable(error, ""))
}

#[async_trait]
impl Uploads for Inbox {
    async fn upload(
        &self,
        name: &str,
        content: File,
        content_type: &str,
        replaces: bool,
    ) -> Result<(), UploadError> {
        let content = FileContent::new(content).await;
        let content = content.map_err(|error| UploadError::Refused(error.to_string()))?;
        let (bucket, name) = (self.0.bucket(BUCKET), format!("{INBOX}{name}"));
        let there = match bucket.get(&name).await {
            Ok(object) => object.generation,
            Err(error) if error.is_not_found() => 0,
            Err(error) => return Err(UploadError::Refused(error.to_string())),
        };
        if there != 0 && !replaces {
            return Err(UploadError::Exists);
        }
        let new = NewObject {
            content: content.into(),
            content_type: content_type.into(),
            ..NewObject::default()
        };
        match bucket.create(&name, there, new).await {
            Ok(_) => Ok(()),
            // One of its name arrived meanwhile.
            Err(error) if error.is_precondition() => Err(UploadError::Exists),
            Err(error) => {
                let object = ObjectRef { bucket: BUCKET, name: &name };
                Err(UploadError::Refused(format!("cannot put {object} there: {error}")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use brigade_emulator::Emulator;

    use super::*;
    use crate::{
        dev::settings::storage,
        setup::{bind_loopback, connect},
    };

    fn file(content: &str) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content.as_bytes()).unwrap();
        file
    }

    #[tokio::test]
    async fn a_dropped_file_replaces_another_only_when_asked() {
        let emulator = Emulator::builder().bucket(BUCKET).memory();
        let emulator = emulator.start(bind_loopback(0).await.unwrap()).await.unwrap();
        let inbox = Inbox(connect(storage(&emulator)).await.unwrap());
        let upload = async |content, replaces| {
            inbox.upload("a/x.csv", file(content), "text/csv", replaces).await
        };
        let size = async || inbox.0.bucket(BUCKET).get("incoming/a/x.csv").await.unwrap().size;
        assert_eq!(upload("one", false).await, Ok(()));
        assert_eq!(upload("another", false).await, Err(UploadError::Exists));
        assert_eq!(size().await, 3);
        assert_eq!(upload("another", true).await, Ok(()));
        assert_eq!(size().await, 7);
        emulator.stop().await;
    }
}
