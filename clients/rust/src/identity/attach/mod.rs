//! Attaches ID tokens to calls.

mod future;
mod layer;
mod service;

pub use future::AttachFuture;
pub use layer::AttachLayer;
pub use service::Attach;
