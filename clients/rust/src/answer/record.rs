//! What arrived on the wire for one call.

use std::{
    error::Error,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::{HeaderMap, header::RETRY_AFTER};
use tonic::{ConnectError, TimeoutExpired};

use crate::identity;

/// The record of one call. It travels as a request extension, and the caller keeps a clone.
#[derive(Clone, Debug, Default)]
pub struct Record(Arc<Mutex<Wire>>);

/// What arrived.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wire {
    /// The HTTP status, once there was a response.
    pub http_status: Option<u16>,
    /// The number in `grpc-status`, from headers or trailers; anything but a number is ignored.
    pub grpc_status: Option<i32>,
    /// `Retry-After` in seconds; its other form, a date, is ignored.
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
    /// There was no ID token.
    Identity {
        /// What was tried, and the fix.
        message: String,
        /// Whether it can pass by itself.
        transient: bool,
    },
}

impl Record {
    /// What arrived so far.
    pub fn wire(&self) -> Wire {
        self.with(|wire| wire.clone())
    }

    pub(super) fn record_head(&self, status: u16, headers: &HeaderMap) {
        self.with(|wire| {
            wire.http_status = Some(status);
            wire.retry_after = headers
                .get(RETRY_AFTER)
                .and_then(|value| value.to_str().ok()?.trim().parse().ok())
                .map(Duration::from_secs);
        });
        self.record_status(headers);
    }

    /// Notes a `grpc-status`, from headers or trailers.
    pub(super) fn record_status(&self, headers: &HeaderMap) {
        let status = headers
            .get("grpc-status")
            .and_then(|value| value.to_str().ok()?.parse().ok());
        if status.is_some() {
            self.with(|wire| wire.grpc_status = status);
        }
    }

    pub(super) fn record_error(&self, error: &(dyn Error + 'static)) {
        let error = classify_error(error);
        self.with(|wire| wire.error = Some(error));
    }

    fn with<T>(&self, f: impl FnOnce(&mut Wire) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The kind of an error, by the first cause that identifies it.
fn classify_error(error: &(dyn Error + 'static)) -> WireError {
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

/// An error and its causes in one line, without repetitions.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in causes(error) {
        let text = cause.to_string();
        if !parts.iter().any(|before| before.contains(&text)) {
            parts.push(text);
        }
    }
    parts.join(": ")
}
