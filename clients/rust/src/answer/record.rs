//! What arrived on the wire for one call.

use std::{
    error::Error,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::{HeaderMap, header::RETRY_AFTER};
use tonic::{ConnectError, TimeoutExpired};

use super::TransportError;
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
    /// `grpc-encoding`, if this client does not read it.
    pub unread_encoding: Option<String>,
    /// How the call broke, if it did.
    pub error: Option<WireError>,
}

/// How a call broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WireError {
    /// The timer that the transport keeps for `grpc-timeout` ran out.
    TimedOut,
    /// The transport failed: [`TransportError::Reset`] when a connection or a stream broke, at whatever moment.
    Failed(TransportError),
}

impl Record {
    /// What arrived so far.
    pub fn wire(&self) -> Wire {
        self.with(|wire| wire.clone())
    }

    pub(super) fn record_head(&self, status: u16, headers: &HeaderMap) {
        self.with(|wire| {
            wire.http_status = Some(status);
            wire.retry_after = retry_after(headers);
            wire.unread_encoding = unread_encoding(headers);
        });
        self.record_status(headers);
    }

    /// Notes a `grpc-status`, from headers or trailers.
    pub(super) fn record_status(&self, headers: &HeaderMap) {
        let status = headers.get("grpc-status").and_then(|value| value.to_str().ok()?.parse().ok());
        if status.is_some() {
            self.with(|wire| wire.grpc_status = status);
        }
    }

    pub(super) fn record_error(&self, error: &(dyn Error + 'static)) {
        let error = match TransportError::from_error(error) {
            TransportError::Reset(_) if causes(error).any(<dyn Error>::is::<TimeoutExpired>) => {
                WireError::TimedOut
            }
            error => WireError::Failed(error),
        };
        self.with(|wire| wire.error = Some(error));
    }

    fn with<T>(&self, f: impl FnOnce(&mut Wire) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl TransportError {
    /// The error of a call without a response, by the first cause that identifies it.
    pub(crate) fn from_error(error: &(dyn Error + 'static)) -> Self {
        for cause in causes(error) {
            if let Some(error) = cause.downcast_ref::<identity::Error>() {
                return Self::Identity {
                    message: error.to_string(),
                    transient: error.is_transient(),
                };
            }
            let http = cause.downcast_ref::<reqwest::Error>();
            if cause.is::<ConnectError>() || http.is_some_and(reqwest::Error::is_connect) {
                return Self::Connect(chain(cause));
            }
            if cause.downcast_ref::<hyper::Error>().is_some_and(was_in_queue) {
                return Self::NotSent(chain(error));
            }
            if let Some(frame) = cause.downcast_ref::<h2::Error>().filter(|error| error.is_remote())
            {
                return Self::from_frame(frame, chain(error));
            }
        }
        Self::Reset(chain(error))
    }

    /// The error that the other side sent: a stream that it reset, or a GOAWAY. h2 gives the latter only to streams above
    /// the last one that the GOAWAY names.
    fn from_frame(frame: &h2::Error, why: String) -> Self {
        match frame.reason() {
            Some(h2::Reason::ENHANCE_YOUR_CALM) => Self::Ended(why),
            Some(h2::Reason::REFUSED_STREAM) => Self::NotSent(why),
            _ if frame.is_go_away() => Self::NotSent(why),
            _ => Self::Reset(why),
        }
    }
}

/// Whether the request was still inside hyper when its connection ended: in the queue, or waiting for a free stream. The
/// latter has no predicate of its own, and its body has not been sent even if its headers have.
fn was_in_queue(error: &hyper::Error) -> bool {
    error.is_canceled() || (error.is_user() && error.to_string() == "dispatch task is gone")
}

/// The encoding of the messages, unless it is one of [`crate::worker`]'s.
fn unread_encoding(headers: &HeaderMap) -> Option<String> {
    let encoding = headers.get("grpc-encoding")?;
    let is_read = [&b"identity"[..], b"gzip"].contains(&encoding.as_bytes());
    (!is_read).then(|| String::from_utf8_lossy(encoding.as_bytes()).into_owned())
}

/// `Retry-After` in seconds; its other form, a date, is ignored.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?;
    Some(Duration::from_secs(value.trim().parse().ok()?))
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
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
