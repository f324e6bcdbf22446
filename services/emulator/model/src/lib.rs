//! The rules of Cloud Storage, synchronous and apart from any wire.
//!
//! A [`Model`] has buckets, and does one call at a time, whole: conditions, generations, holds, retention, versions,
//! listings and copies. A [`Backend`] is where the objects of a bucket are stored: [`Memory`] here, a directory in the
//! emulator. The emulator speaks for it in Google's two APIs; the simulation puts the bucket port over it.

mod access;
mod backend;
mod bucket;
mod clock;
mod condition;
mod content;
mod digest;
mod draft;
mod listing;
mod memory;
mod metadata;
mod model;
pub mod name;
mod object;
mod reading;
mod refusal;
mod rewriting;
mod versions;
mod writing;

pub use self::{
    access::{Access, Permission, Role},
    backend::{Backend, BeingWritten},
    bucket::{Bucket, BucketConfig, BucketInfo},
    clock::Clock,
    condition::Conditions,
    content::{Content, FilePart, PIECE},
    digest::{Digest, Digester},
    draft::Draft,
    listing::{Listing, Query},
    memory::Memory,
    model::Model,
    object::{Attributes, Object, Upload},
    reading::ByteRange,
    refusal::{Kind, Refusal, Result},
    rewriting::{Copied, Progress, Rewrite},
    writing::{Edit, Move},
};
