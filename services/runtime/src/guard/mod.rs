//! Validates the Google-signed ID token of every call before a byte of its body is read.

mod bearer;
mod cache;
mod claims;
mod error;
mod future;
mod jws;
mod jwks;
mod layer;
mod mode;
mod service;
mod verify;

pub use claims::Caller;
pub use error::Refusal;
pub use layer::GuardLayer;
pub use mode::{GOOGLE_ISSUERS, GOOGLE_JWKS, GuardSettings, Mode};
pub use service::GuardService;
pub use verify::{Guard, GuardError};

#[cfg(test)]
mod tests;
