//! The gRPC API: `google.storage.v2`, and of `google.storage.control.v2` the policy of a bucket.

mod bucket;
mod convert;
mod mask;
mod policy;
mod request;
mod service;
mod status;
mod update;

pub(crate) use service::Service;
pub(crate) use status::status;

/// The generated messages, server and client.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::pedantic,
    reason = "generated from the proto beside"
)]
pub(crate) mod wire {
    tonic::include_proto!("google.storage.v2");
}

/// The same of the control API.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::pedantic,
    reason = "generated from the proto beside"
)]
pub(crate) mod control {
    tonic::include_proto!("google.storage.control.v2");
}
