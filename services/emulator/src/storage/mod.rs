//! Cloud Storage: one core with the semantics, over two media, behind two wires.
//!
//! `core` and the files beside it know buckets, objects, conditions and holds, and no wire. `memory` and
//! `directory` are where objects lie. `grpc` and `json` say the same in Google's two APIs, and `meddle` stands
//! before both: it counts calls and lets them meet faults.

mod access;
mod bucket;
mod calls;
mod clock;
mod condition;
mod core;
mod directory;
mod fault;
mod grpc;
mod handle;
mod json;
mod listing;
pub(crate) mod meddle;
mod medium;
mod memory;
mod name;
mod object;
mod operation;
mod reading;
mod refusal;
mod rewriting;
mod router;
#[cfg(test)]
mod tests;
mod versions;
mod writing;

pub use self::{
    access::Permission,
    calls::Calls,
    fault::{Fault, Met},
    handle::{BucketHandle, Storage},
    object::{Attributes, Object},
    operation::{Class, Operation},
    refusal::{Kind, Refusal},
};
pub(crate) use self::{
    access::Role,
    core::Core,
    router::{Grants, router},
};
