//! Why the stand-in does not start.

use std::{io, net::SocketAddr, path::PathBuf};

use brigade_model::Refusal;

/// Why the stand-in does not start, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It checks no credentials, so nobody else may reach it.
    #[error(
        "the stand-in for Google listens on loopback addresses only, not on {address}: it gives tokens to whoever asks; \
         bind it to 127.0.0.1 or ::1"
    )]
    NotLoopback {
        /// What it was bound to.
        address: SocketAddr,
    },
    /// The listener has no address.
    #[error("the stand-in's listener is not usable: {0}")]
    Listener(#[source] io::Error),
    /// The directory cannot be a bucket.
    #[error("cannot keep bucket {bucket} in {path}: {why}", path = path.display())]
    Directory {
        /// The bucket.
        bucket: String,
        /// Its directory.
        path: PathBuf,
        /// What is wrong with it, and the mend.
        why: String,
    },
    /// A bucket that cannot be.
    #[error("cannot make bucket {bucket}: {refusal}")]
    Bucket {
        /// Its name.
        bucket: String,
        /// Why.
        refusal: Refusal,
    },
    /// No bucket was asked for.
    #[error("the stand-in needs a bucket; give it a directory or the name of one in memory")]
    NoBucket,
}
