//! The Bucket Brigade contract: protobuf messages, gRPC services and their descriptors.
//!
//! Everything here is generated from `proto/brigade/v1/*.proto`, whose comments are the documentation. Messages
//! also implement serde's traits with the proto3 JSON mapping, for the HTTP routes.

#![deny(missing_docs)]

/// Version 1 of the contract, protobuf package `brigade.v1`.
#[allow(
    unreachable_pub,
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::large_enum_variant,
    reason = "generated code"
)]
pub mod v1 {
    tonic::include_proto!("brigade.v1");
    include!(concat!(env!("OUT_DIR"), "/brigade.v1.serde.rs"));
}

/// The encoded `FileDescriptorSet` of the contract, for gRPC server reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] =
    include_bytes!(concat!(env!("OUT_DIR"), "/brigade_descriptor.bin"));

/// The longest message of either side, in bytes: 64 KiB, as `worker.proto` says. Messages carry names, not data.
pub const MAX_MESSAGE: usize = 64 * 1024;

mod key;

/// The well-known types that the messages use.
pub use pbjson_types::{Duration, Timestamp};
