//! The bucket port of Bucket Brigade: what the poller and the worker need of Cloud Storage, and nothing else.
//!
//! [`Bucket`] is the port and [`Store`] hands out buckets by name. [`gcs`] implements them over Google's official client,
//! and the crate `brigade-sim` in memory. The crate `brigade-contract` is the suite that both must pass.

pub mod bucket;
pub mod content;
pub mod error;
pub mod gcs;
pub mod location;
pub mod naming;
pub mod object;
mod observed;
pub mod provenance;

pub use bucket::{Bucket, ListRequest, NewObject, Page, RewriteStep, Store};
pub use content::{Content, FileContent};
pub use error::{Error, Kind, Operation, Result};
pub use location::{InvalidLocation, Location};
pub use object::{Metadata, Object, ObjectRef, Pinned};
pub use observed::observed;
