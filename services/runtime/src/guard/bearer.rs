//! Finds the token in a request's headers.

use axum::http::{HeaderMap, HeaderName, header::AUTHORIZATION};

use super::error::Refusal;

/// Google's ID tokens have about 1 KiB.
pub(super) const MAX_TOKEN: usize = 16 * 1024;

/// The header that Cloud Run's front end checks in place of `authorization` when both are there.
pub(super) const SERVERLESS_AUTHORIZATION: HeaderName =
    HeaderName::from_static("x-serverless-authorization");

/// The bearer token of `authorization`, and of nothing else.
///
/// `x-serverless-authorization` is not read: Cloud Run checks it and replaces its signature, and leaves this one whole.
/// Neither is a query, a cookie or the body (RFC 6750, section 2, allows them; they end up in logs). The scheme is
/// case-insensitive (RFC 9110, section 11.1) and followed by exactly one space; a second header of this name is refused,
/// because two readers could use different ones.
pub(super) fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(Refusal::Missing)?;
    if values.next().is_some() {
        return Err(Refusal::Several);
    }
    let (scheme, token) =
        value.as_bytes().split_at_checked("bearer ".len()).ok_or(Refusal::Scheme)?;
    if !scheme.eq_ignore_ascii_case(b"bearer ") || token.is_empty() {
        return Err(Refusal::Scheme);
    }
    if token.len() > MAX_TOKEN {
        return Err(Refusal::TooLong);
    }
    std::str::from_utf8(token).map_err(|_| Refusal::Encoding)
}

/// Whether `authorization` is what Cloud Run's front end checked: with the other header there, whatever it holds, the
/// front end checked that one.
pub(super) fn is_the_checked_one(headers: &HeaderMap) -> bool {
    !headers.contains_key(SERVERLESS_AUTHORIZATION)
}
