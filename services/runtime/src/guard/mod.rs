//! Validates the Google-signed ID token of every call before a byte of its body is read.
//!
//! A call's way through: `service` takes it, `bearer` finds the token, `cache` knows it or `jws` takes it apart, `jwks`
//! has the key that `verify` checks its signature with, `claims` says whether its bearer may call, `error` is the
//! answer when not. Nothing a token says is believed before its signature is checked, and which algorithm checks it is
//! ours to say.
//!
//! # Which header is read
//!
//! `authorization`, in every mode, and nothing else. Cloud Run's front end checks the token of `authorization`, or that
//! of `x-serverless-authorization` when both headers are there, and replaces the signature of the one that it checked by
//! `SIGNATURE_REMOVED_BY_GOOGLE`.
//!
//! - `verify` never believes that marker, in either header. Our own clients send both headers, so that
//!   `authorization` arrives whole.
//! - `platform` believes it in `authorization` alone, and only when there is no `x-serverless-authorization` at all:
//!   with one, the front end checked that one, and `authorization` is what the caller wrote. It is then verified in
//!   full. What `x-serverless-authorization` holds is never looked at.
//!
//! Nobody but a front end keeps a caller from writing the marker himself, so it is not believed before
//! [`Guard::prove_front_end`] has ended well. Calls that come earlier wait for it.

mod bearer;
mod cache;
mod claims;
mod error;
mod front;
mod future;
mod json;
mod jwks;
mod jws;
mod layer;
mod mode;
mod service;
mod traced;
mod transport;
mod verify;

pub use claims::Caller;
pub use error::Refusal;
pub use front::{FRONT_END_PROBE, NotFronted};
pub use future::GuardFuture;
pub use layer::GuardLayer;
pub use mode::{GOOGLE_ISSUERS, GOOGLE_JWKS, GuardSettings, Mode};
pub use service::GuardService;
pub use verify::{Guard, GuardError};

#[cfg(test)]
mod tests;
