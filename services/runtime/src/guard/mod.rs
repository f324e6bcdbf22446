//! Validates the Google-signed ID token of every call before a byte of its body is read.
//!
//! A call's way through: `service` takes it, `bearer` finds the token, `cache` knows it or `jws` takes it apart, `jwks`
//! has the key that `verify` checks its signature with, `claims` says whether its bearer may call, `error` is the
//! answer when not. Nothing a token says is believed before its signature is checked, and which algorithm checks it is
//! ours to say.

mod bearer;
mod cache;
mod claims;
mod error;
mod future;
mod json;
mod jwks;
mod jws;
mod layer;
mod mode;
mod service;
mod verify;

pub use claims::Caller;
pub use error::Refusal;
pub use future::GuardFuture;
pub use layer::GuardLayer;
pub use mode::{GOOGLE_ISSUERS, GOOGLE_JWKS, GuardSettings, Mode};
pub use service::GuardService;
pub use verify::{Guard, GuardError};

#[cfg(test)]
mod tests;
