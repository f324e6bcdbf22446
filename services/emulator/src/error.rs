//! Why the emulator does not start.

use std::{io, net::SocketAddr, path::PathBuf};

use brigade_model::Refusal;

/// Why the emulator does not start, and the fix.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It checks no credentials, so no other machine may reach it.
    #[error(
        "the emulator listens on loopback addresses only, not on {address}: it gives tokens to every caller; fix: bind it \
         to 127.0.0.1 or ::1"
    )]
    NotLoopback {
        /// What it was bound to.
        address: SocketAddr,
    },
    /// The listener has no address.
    #[error("the emulator's listener is not usable: {0}")]
    Listener(#[source] io::Error),
    /// The directory cannot be a bucket.
    #[error("cannot store bucket {bucket} in {path}: {why}", path = path.display())]
    Directory {
        /// The bucket.
        bucket: String,
        /// Its directory.
        path: PathBuf,
        /// What is wrong with it, and the fix.
        why: String,
    },
    /// A bucket that cannot be.
    #[error("cannot create bucket {bucket}: {refusal}")]
    Bucket {
        /// Its name.
        bucket: String,
        /// Why.
        refusal: Refusal,
    },
    /// No bucket is configured.
    #[error(
        "the emulator has no bucket; fix: give it a directory or the name of a bucket in memory"
    )]
    NoBucket,
}
