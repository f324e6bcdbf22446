//! What arrived on the wire for one call.

use std::{
    error::Error,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::{HeaderMap, header::RETRY_AFTER};
use tonic::{ConnectError, TimeoutExpired};

use crate::identity;

/// The record of one call. It travels as a request extension, and whoever made the call keeps a clone.
#[derive(Clone, Debug, Default)]
pub struct Record(Arc<Mutex<Wire>>);

/// What arrived.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wire {
    /// The HTTP status, once there was a response.
    pub http_status: Option<u16>,
    /// The number in `grpc-status`, from headers or trailers; one that is no number does not count.
    pub grpc_status: Option<i32>,
    /// `Retry-After` in seconds; its other form, a date, does not count.
    pub retry_after: Option<Duration>,
    /// How the call broke, if it did.
    pub error: Option<WireError>,
}

/// How a call broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WireError {
    /// No connection could be made.
    Connect(String),
    /// The connection or the stream broke.
    Broken(String),
    /// The timer that the transport keeps for `grpc-timeout` ran out.
    TimedOut,
    /// There was no token to ask with.
    Identity {
        /// What was tried and how to mend it.
        message: String,
        /// Whether it can heal by itself.
        transient: bool,
    },
}

impl Record {
    /// What arrived so far.
    pub fn wire(&self) -> Wire {
        self.with(|wire| wire.clone())
    }

    pub(super) fn head(&self, status: u16, headers: &HeaderMap) {
        self.with(|wire| {
            wire.http_status = Some(status);
            wire.retry_after = headers
                .get(RETRY_AFTER)
                .and_then(|value| value.to_str().ok()?.trim().parse().ok())
                .map(Duration::from_secs);
        });
        self.status(headers);
    }

    /// Notes a `grpc-status`, from headers or trailers.
    pub(super) fn status(&self, headers: &HeaderMap) {
        let status = headers
            .get("grpc-status")
            .and_then(|value| value.to_str().ok()?.parse().ok());
        if status.is_some() {
            self.with(|wire| wire.grpc_status = status);
        }
    }

    pub(super) fn broken(&self, error: &(dyn Error + 'static)) {
        let error = kind(error);
        self.with(|wire| wire.error = Some(error));
    }

    fn with<T>(&self, f: impl FnOnce(&mut Wire) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Which kind an error is, by the first cause that tells.
fn kind(error: &(dyn Error + 'static)) -> WireError {
    for cause in causes(error) {
        if let Some(error) = cause.downcast_ref::<identity::Error>() {
            return WireError::Identity {
                message: error.to_string(),
                transient: error.is_transient(),
            };
        }
        if cause.is::<ConnectError>() {
            return WireError::Connect(chain(cause));
        }
        if cause.is::<TimeoutExpired>() {
            return WireError::TimedOut;
        }
    }
    WireError::Broken(chain(error))
}

pub(crate) fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| <dyn Error>::source(*error))
}

/// An error and its causes in one line, each said once.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut said: Vec<String> = Vec::new();
    for cause in causes(error) {
        let text = cause.to_string();
        if !said.iter().any(|before| before.contains(&text)) {
            said.push(text);
        }
    }
    said.join(": ")
}
