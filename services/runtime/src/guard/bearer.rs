//! Finds the token in a request's headers.

use axum::http::{HeaderMap, header::AUTHORIZATION};

use super::error::Refusal;

/// Google's ID tokens have about 1 KiB.
const MAX_TOKEN: usize = 16 * 1024;

/// The bearer token of `authorization`, and of nothing else.
///
/// `x-serverless-authorization` is not read: Cloud Run checks it and replaces its signature, and leaves this one whole.
/// The scheme is case-insensitive (RFC 9110, section 11.1) and followed by exactly one space; a second header of this
/// name is refused, because two readers could take different ones.
pub(super) fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values
        .next()
        .ok_or(Refusal::Unauthenticated("there is no authorization header; send an ID token as a bearer token"))?;
    if values.next().is_some() {
        return Err(Refusal::Unauthenticated("there is more than one authorization header"));
    }
    if value.len() > MAX_TOKEN {
        return Err(Refusal::Unauthenticated("the token is longer than 16 KiB"));
    }
    let value = value
        .to_str()
        .map_err(|_| Refusal::Unauthenticated("the authorization header is not visible ASCII"))?;
    let (scheme, token) = value
        .split_once(' ')
        .ok_or(Refusal::Unauthenticated("the authorization header has no token"))?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Refusal::Unauthenticated("the authorization scheme is not Bearer"));
    }
    Ok(token)
}
