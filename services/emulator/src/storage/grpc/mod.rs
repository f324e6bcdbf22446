//! The gRPC API: `google.storage.v2`.

mod bucket;
mod convert;
mod mask;
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
