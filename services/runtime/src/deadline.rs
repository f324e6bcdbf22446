//! The caller's deadline: gRPC's `grpc-timeout` header.

use std::time::Duration;

use http::HeaderMap;

/// How long the caller waits; `None` when it sends no deadline.
///
/// The header is 1 to 8 digits and a unit, one of `H M S m u n` (gRPC over HTTP2, "Request-Headers"). A
/// malformed header counts as absent, as in other gRPC servers.
pub fn from_headers(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-timeout", text.parse().unwrap());
        from_headers(&headers)
    }

    #[test]
    fn every_unit_is_read() {
        assert_eq!(parsed("2H"), Some(Duration::from_hours(2)));
        assert_eq!(parsed("3M"), Some(Duration::from_mins(3)));
        assert_eq!(parsed("99999999S"), Some(Duration::from_secs(99_999_999)));
        assert_eq!(parsed("7m"), Some(Duration::from_millis(7)));
        assert_eq!(parsed("7u"), Some(Duration::from_micros(7)));
        assert_eq!(parsed("7n"), Some(Duration::from_nanos(7)));
    }

    #[test]
    fn what_is_not_well_formed_counts_as_absent() {
        for text in ["", "S", "1", "123456789S", "-1S", "1.5S", "1s", "1 S"] {
            assert_eq!(parsed(text), None, "{text:?}");
        }
    }
}
