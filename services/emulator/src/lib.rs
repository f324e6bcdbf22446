//! The local emulator of Google that Bucket Brigade runs against on a laptop, in tests and in benchmarks.
//!
//! One process, one port, loopback addresses only: Cloud Storage over gRPC and JSON ([`storage`]), the sources of ID
//! tokens ([`identity`]), ticks like Cloud Scheduler's ([`scheduler`]), and pushes like Pub/Sub's ([`notifier`]). [`Emulator::env`] has the variables that
//! point production code here. What Cloud Run puts before a service listens on a port of its own ([`frontend`]).

mod builder;
mod emulator;
mod error;
pub mod frontend;
pub mod identity;
pub mod notifier;
pub mod scheduler;
mod serve;
pub mod storage;

pub use self::{
    builder::Builder, emulator::Emulator, error::StartError, frontend::FrontEnd, identity::Issuer,
    storage::Storage,
};
