//! Validates the Google-signed ID token of every call before a byte of its body is read.
//!
//! A call passes `layer`; `bearer` finds its token; `cache` knows the token or `jws` parses it; `jwks` has the key with which
//! `verify` checks its signature; `claims` decides whether its caller may call; `error` is the response to a refused call. Nothing
//! in a token is trusted before its signature is checked, and the token does not choose the algorithm.
//!
//! # Which header is read
//!
//! `authorization`, in every mode, and nothing else. Cloud Run's front end checks the token of `authorization`, or that
//! of `x-serverless-authorization` when both headers are there, and replaces the signature of the one that it checked by
//! `SIGNATURE_REMOVED_BY_GOOGLE`.
//!
//! - `verify` never trusts that marker, in either header. Our own clients send both headers, so that `authorization` arrives
//!   complete.
//! - `platform` trusts it in `authorization` alone, and only without an `x-serverless-authorization`: otherwise the front end
//!   checked that header, and `authorization` is what the caller wrote. It is then verified in full. The content of
//!   `x-serverless-authorization` is never read.
//!
//! Only a front end prevents a caller from writing the marker itself, so the marker is not trusted before
//! [`Guard::verify_front_end`] has succeeded. Earlier calls wait for it.

mod args;
mod bearer;
mod cache;
mod claims;
mod error;
mod front_end;
mod json;
mod jwks;
mod jws;
mod layer;
mod metrics;
mod mode;
mod traced;
mod transport;
mod verify;

pub use args::GuardArgs;
pub use claims::Caller;
pub use error::Refusal;
pub use front_end::{FRONT_END_PROBE, NotProtected};
pub use layer::{GuardLayer, GuardService};
pub use mode::{GOOGLE_ISSUERS, GOOGLE_JWKS, GuardSettings, Mode, Right};
pub use verify::{Guard, GuardError};

#[cfg(test)]
mod tests;
