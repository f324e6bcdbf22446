//! Where outputs go.

use std::{fmt, str::FromStr};

/// A prefix in a bucket that outputs are written under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The bucket's name.
    pub bucket: String,
    /// Empty, or ends in `/`.
    pub prefix: String,
}

impl Output {
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
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gs://{}/{}", self.bucket, self.prefix)
    }
}

impl FromStr for Output {
    type Err = &'static str;

    fn from_str(given: &str) -> Result<Self, Self::Err> {
        let rest = given
            .strip_prefix("gs://")
            .ok_or("it must begin with gs://")?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() || prefix.starts_with('/') || prefix.contains(['\r', '\n']) {
            return Err("a bucket's name and a prefix without line breaks are needed");
        }
        Ok(Self::new(bucket, prefix))
    }
}
