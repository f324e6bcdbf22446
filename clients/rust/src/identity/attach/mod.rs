//! Attaches ID tokens to calls.

mod attached;
mod future;
mod layer;
mod service;

pub use attached::Attached;
pub use future::AttachFuture;
pub use layer::AttachLayer;
pub use service::Attach;
