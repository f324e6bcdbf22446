//! An event, and what each form of it is read with.

use axum::http::{HeaderMap, header::CONTENT_TYPE};

use crate::request::ObjectRef;

/// What an event is about.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Event {
    /// An object that may be work.
    Object(ObjectRef),
    /// Something else, by its type: a deletion, another service's event.
    Other(String),
}

/// The media type without its parameters, in lower case; empty when there is none.
pub(super) fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    essence(value.unwrap_or_default())
}

/// A media type without its parameters, in lower case.
pub(super) fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
