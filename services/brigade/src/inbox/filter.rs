//! Which failed objects a command is about.

use brigade_proto::v1::{ObjectFilter, Place};
use clap::builder::NonEmptyStringValueParser;
use jiff::Timestamp;

use super::{
    parse::{code, time},
    text::to_proto,
};

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
