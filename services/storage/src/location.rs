//! Where objects come from and go to: a prefix in a bucket.

use std::{fmt, str::FromStr};

use crate::object::escape;

/// `gs://bucket/prefix/`. A prefix that is not empty ends in `/`, so that `in` never means `in2/` too.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Location {
    /// The bucket's name.
    pub bucket: String,
    /// Empty for the whole bucket, else it ends in `/`.
    pub prefix: String,
}

impl Location {
    /// A location; a missing slash at the prefix's end is added.
    pub fn new(bucket: impl Into<String>, prefix: impl Into<String>) -> Self {
        let mut prefix = prefix.into();
        if !prefix.is_empty() && !prefix.ends_with('/') {
            prefix.push('/');
        }
        Self {
            bucket: bucket.into(),
            prefix,
        }
    }

    /// Whether `name` in `bucket` lies here.
    pub fn holds(&self, bucket: &str, name: &str) -> bool {
        self.bucket == bucket && name.starts_with(&self.prefix)
    }

    /// The part of `name` below this location, or the whole name when it lies elsewhere.
    pub fn below<'a>(&self, name: &'a str) -> &'a str {
        name.strip_prefix(self.prefix.as_str()).unwrap_or(name)
    }

    /// The part of the prefix that no date can change; all of it when it has no `{date}`.
    #[must_use]
    pub fn fixed(&self) -> Self {
        let fixed = self.prefix.split("{date}").next().unwrap_or_default();
        Self {
            bucket: self.bucket.clone(),
            prefix: fixed.to_owned(),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gs://{}/{}", self.bucket, escape(&self.prefix))
    }
}

impl FromStr for Location {
    type Err = InvalidLocation;

    fn from_str(given: &str) -> Result<Self, InvalidLocation> {
        let rest = given.strip_prefix("gs://").ok_or(InvalidLocation::Scheme)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if !is_bucket_name(bucket) {
            return Err(InvalidLocation::Bucket);
        }
        if prefix.starts_with('/') || prefix.contains(['\r', '\n']) {
            return Err(InvalidLocation::Prefix);
        }
        Ok(Self::new(bucket, prefix))
    }
}

/// Cloud Storage's rule for names without a domain, generously: the service itself has the last word.
fn is_bucket_name(name: &str) -> bool {
    (3..=222).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b))
}

/// Why a `gs://` URI is not a location.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLocation {
    /// It does not begin with `gs://`.
    #[error("it must begin with gs://")]
    Scheme,
    /// The bucket's name is none.
    #[error("a bucket's name has 3 to 222 lower-case letters, digits, dashes, underscores or dots")]
    Bucket,
    /// The prefix could match no object.
    #[error("a prefix has no line break and does not begin with a slash")]
    Prefix,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_without_its_slash_gets_one() {
        let location: Location = "gs://data/in".parse().unwrap();
        assert_eq!(location, Location::new("data", "in/"));
        assert!(!location.holds("data", "in2/x"));
    }

    #[test]
    fn a_bucket_alone_is_the_whole_bucket() {
        for given in ["gs://data", "gs://data/"] {
            assert_eq!(given.parse(), Ok(Location::new("data", "")));
        }
    }

    #[test]
    fn what_is_no_location_says_why() {
        assert_eq!("data/in".parse::<Location>(), Err(InvalidLocation::Scheme));
        assert_eq!(
            "gs://Da ta/in".parse::<Location>(),
            Err(InvalidLocation::Bucket)
        );
        assert_eq!(
            "gs://data//in".parse::<Location>(),
            Err(InvalidLocation::Prefix)
        );
    }

    #[test]
    fn the_fixed_part_ends_where_the_date_begins() {
        let location = Location::new("data", "processed/{date}/");
        assert_eq!(location.fixed().prefix, "processed/");
    }
}
