//! The one header that is checked, and what it looks like afterwards.

use http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};

/// It is checked in place of `authorization` when both are there.
pub(super) const SERVERLESS: HeaderName = HeaderName::from_static("x-serverless-authorization");

/// What stands in place of the signature of a token that was checked.
const REMOVED: &str = "SIGNATURE_REMOVED_BY_GOOGLE";

/// The header that is checked, if one was sent.
pub(super) fn checked(headers: &HeaderMap) -> Option<HeaderName> {
    [SERVERLESS, AUTHORIZATION].into_iter().find(|name| headers.contains_key(name))
}

/// The token in this header, when there is exactly one and it is a bearer's.
pub(super) fn token<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let (value, None) = (values.next()?, values.next()) else {
        return None;
    };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

/// Takes the signature out of this header's token, so that the container cannot use it elsewhere.
pub(super) fn strip(headers: &mut HeaderMap, name: &HeaderName) {
    let Some(value) = headers.get(name).and_then(|value| value.to_str().ok()) else {
        return;
    };
    let kept = value.rsplit_once('.').map_or("", |(kept, _)| kept);
    if let Ok(mut value) = HeaderValue::try_from(format!("{kept}.{REMOVED}")) {
        value.set_sensitive(true);
        headers.insert(name, value);
    }
}
