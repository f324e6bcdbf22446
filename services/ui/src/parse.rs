//! Times and statuses as a person writes them. An error says what is expected.

use jiff::{SignedDuration, Timestamp};
use tonic::Code;

/// A time, or how long ago it was.
///
/// # Errors
/// When it is neither.
pub fn time(given: &str) -> Result<Timestamp, String> {
    if let Ok(time) = given.parse() {
        return Ok(time);
    }
    let ago = humantime::parse_duration(given).ok();
    let ago = ago.and_then(|ago| SignedDuration::try_from(ago).ok());
    ago.and_then(|ago| Timestamp::now().checked_sub(ago).ok()).ok_or_else(|| {
        "expected a time such as 2026-11-24T03:00:00Z, or how long ago, such as 18h".to_owned()
    })
}

/// A gRPC status by its number, or by its name in any case.
///
/// # Errors
/// When there is no such status, or it is OK.
pub fn code(given: &str) -> Result<i32, String> {
    let plain = given.trim().replace('_', "").to_uppercase();
    let found = (1..=16).find(|number| {
        plain == number.to_string() || plain == format!("{:?}", Code::from(*number)).to_uppercase()
    });
    found.ok_or_else(|| {
        "expected a gRPC status other than OK, such as INVALID_ARGUMENT or 3".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_absolute_or_how_long_ago() {
        assert_eq!(time("2026-11-24T03:00:00Z").unwrap().as_second(), 1_795_489_200);
        let ago = Timestamp::now().as_second() - time("18h").unwrap().as_second();
        assert!((64_800..64_900).contains(&ago), "{ago}");
        for wrong in ["", "18", "yesterday", "300000y", "2026-11-24"] {
            assert!(time(wrong).unwrap_err().contains("18h"), "{wrong}");
        }
    }

    #[test]
    fn a_status_is_named_or_numbered() {
        assert_eq!((code("INVALID_ARGUMENT"), code("3")), (Ok(3), Ok(3)));
        assert_eq!(code("deadline_exceeded"), Ok(4));
        assert!(["", "0", "17", "OK", "teapot"].iter().all(|wrong| code(wrong).is_err()));
    }
}
