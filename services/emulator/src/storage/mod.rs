//! Cloud Storage over the wire: the rules are those of [`brigade_model`], served in Google's two APIs.
//!
//! `grpc` and `json` are the APIs, and `inject_faults` is before both: it counts calls and injects faults.
//! `directory` stores a bucket's objects as files.

mod calls;
mod directory;
mod drain;
mod fault;
mod grpc;
mod handle;
mod inject_faults;
mod json;
mod operation;
mod random_fault;
mod router;
#[cfg(test)]
mod tests;

pub use self::{
    calls::Calls,
    fault::{Fault, HitCount},
    handle::{BucketHandle, Storage},
    operation::{Class, Operation},
    random_fault::RandomFault,
};
pub(crate) use self::{
    directory::Directory,
    inject_faults::inject_faults,
    router::{Grants, router},
};
pub use brigade_model::{Attributes, BeingWritten, Kind, Object, Permission, Refusal};
