//! Which failed objects a command is about.

use std::time::Duration;

use brigade_proto::v1::{ObjectFilter, Place};
use clap::builder::NonEmptyStringValueParser;
use jiff::{SignedDuration, Timestamp};
use tonic::Code;

use super::text::to_proto;

/// Every filter that is given must match.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub(super) struct FilterArgs {
    /// Failed at this time or later: 2026-11-24T03:00:00Z, or how long ago, such as 18h
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Timestamp>,
    /// Failed before this time, given in the same ways
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Timestamp>,
    /// Of the kind that the worker named, such as no-day
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    kind: Option<String>,
    /// With the worker's gRPC status: its name or number
    #[arg(long, value_parser = code)]
    code: Option<i32>,
    /// With this reason, as --group shows it: numbers and names are folded
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    reason: Option<String>,
    /// A glob over the name below the failed location: * stops at /, ** does not
    #[arg(long = "match", value_name = "GLOB", value_parser = NonEmptyStringValueParser::new())]
    glob: Option<String>,
    /// The beginning of the name below the failed location
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    prefix: Option<String>,
}

// === impl FilterArgs ===

impl FilterArgs {
    /// Whether it selects everything.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The filter for failed objects. Times that were given relative to now are resolved.
    pub(super) fn failed(&self) -> ObjectFilter {
        ObjectFilter {
            place: Place::Failed.into(),
            prefix: self.prefix.clone().unwrap_or_default(),
            r#match: self.glob.clone().unwrap_or_default(),
            since: self.since.map(to_proto),
            until: self.until.map(to_proto),
            kind: self.kind.clone().unwrap_or_default(),
            status_code: self.code,
            reason_group: self.reason.clone().unwrap_or_default(),
        }
    }
}

/// A time, or how long ago it was.
pub(super) fn time(given: &str) -> Result<Timestamp, String> {
    if let Ok(time) = given.parse() {
        return Ok(time);
    }
    let expected =
        || "expected a time such as 2026-11-24T03:00:00Z, or how long ago, such as 18h".to_owned();
    let ago: Duration = humantime::parse_duration(given).map_err(|_| expected())?;
    let ago = SignedDuration::try_from(ago).map_err(|_| expected())?;
    Timestamp::now().checked_sub(ago).map_err(|_| expected())
}

fn code(given: &str) -> Result<i32, String> {
    let codes = (1..=16).map(Code::from);
    let name = |code: Code| format!("{code:?}").to_uppercase();
    let plain = given.replace('_', "").to_uppercase();
    let named = codes.clone().find(|code| name(*code) == plain);
    let numbered = given
        .parse()
        .ok()
        .and_then(|number: i32| codes.into_iter().find(|code| *code as i32 == number));
    named.or(numbered).map(|code| code as i32).ok_or_else(|| {
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
