//! Downloads over real sockets, through the official client: from a server that makes its content as it sends it, and
//! cuts its connections where it is told.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod cut;
#[cfg(target_os = "linux")]
mod large;
mod server;

use std::sync::Arc;

use brigade_proto::v1::{Object, ProcessRequest};
use brigade_storage::gcs::{GcsSettings, GcsStore};

use self::server::{BUCKET, GENERATION, NAME};

/// Cloud Storage, as this address plays it.
async fn store(address: &str) -> Arc<GcsStore> {
    let settings =
        GcsSettings::from_env(|name| (name == "STORAGE_EMULATOR_HOST").then(|| address.to_owned()));
    Arc::new(GcsStore::connect(settings).await.unwrap())
}

/// The request for the server's object.
fn request(size: u64, crc32c: u32) -> ProcessRequest {
    let object = Object {
        bucket: BUCKET.into(),
        name: NAME.into(),
        generation: GENERATION,
        size: size.try_into().unwrap(),
        crc32c: Some(crc32c),
        ..Object::default()
    };
    ProcessRequest {
        idempotency_key: object.idempotency_key(),
        object: Some(object),
        attempt: 1,
        inbox: String::new(),
    }
}
