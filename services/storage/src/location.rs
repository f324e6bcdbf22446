//! Where objects come from and go to: a prefix in a bucket.

use std::{fmt, str::FromStr};

use crate::object::escape;

/// What becomes the UTC day in a prefix, as `YYYY/MM/DD`.
pub const DATE: &str = "{date}";

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
        Self { bucket: bucket.into(), prefix }
    }

    /// `gs://bucket/prefix/`, byte for byte; [`Display`](fmt::Display) escapes it for people.
    pub fn uri(&self) -> String {
        format!("gs://{}/{}", self.bucket, self.prefix)
    }

    /// Whether `name` in `bucket` is in this location.
    pub fn holds(&self, bucket: &str, name: &str) -> bool {
        self.bucket == bucket && name.starts_with(&self.prefix)
    }

    /// The part of `name` below this location, or the whole name when it is elsewhere.
    pub fn below<'a>(&self, name: &'a str) -> &'a str {
        name.strip_prefix(self.prefix.as_str()).unwrap_or(name)
    }

    /// Whether what was put here on any day may lie at `name` in `bucket`.
    ///
    /// Where `{date}` begins a folder's name, everything in the folder before it does. Where it ends or parts one, as in
    /// `done-{date}/`, only a name of that form does: `done-2026/03/04/x`, and not `done-report.csv`.
    pub fn holds_on_any_day(&self, bucket: &str, name: &str) -> bool {
        let Some((before, _)) = self.prefix.split_once(DATE) else {
            return self.holds(bucket, name);
        };
        let is_held = if before.is_empty() || before.ends_with('/') {
            name.starts_with(before)
        } else {
            self.is_dated(name)
        };
        self.bucket == bucket && is_held
    }

    /// Whether `name` begins with this prefix and some day's date in the place of each `{date}`.
    fn is_dated(&self, name: &str) -> bool {
        let mut parts = self.prefix.split(DATE);
        let before = parts.next().unwrap_or_default();
        let rest = name.strip_prefix(before);
        let rest = parts.try_fold(rest, |rest, part| Some(after_date(rest?)?.strip_prefix(part)));
        rest.flatten().is_some()
    }

    /// The part of the prefix that no date can change; all of it when it has no `{date}`.
    #[must_use]
    pub fn fixed(&self) -> Self {
        let fixed = self.prefix.split(DATE).next().unwrap_or_default();
        Self { bucket: self.bucket.clone(), prefix: fixed.to_owned() }
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
        if given.starts_with(['"', '\'', '`']) {
            return Err(InvalidLocation::Quoted);
        }
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

/// What follows a day at the beginning of `name`, if it begins with one.
fn after_date(name: &str) -> Option<&str> {
    /// A `0` is any digit.
    const FORM: &str = "0000/00/00";
    let day = name.get(..FORM.len())?;
    let fits = |(c, form): (u8, u8)| {
        if form == b'0' { c.is_ascii_digit() } else { c == form }
    };
    let is_day = day.bytes().zip(FORM.bytes()).all(fits);
    is_day.then(|| &name[FORM.len()..])
}

/// Cloud Storage's rule for names without a domain, generously: the service itself has the last word.
fn is_bucket_name(name: &str) -> bool {
    (3..=222).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b))
}

/// Why a `gs://` URI is not a location.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLocation {
    /// It does not begin with `gs://`.
    #[error("it must begin with gs://")]
    Scheme,
    /// It is in quotes.
    #[error("the quotes are a part of it; fix: write it without quotes")]
    Quoted,
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
        for quoted in ["\"gs://data/in/\"", "'gs://data/in/'"] {
            assert_eq!(quoted.parse::<Location>(), Err(InvalidLocation::Quoted));
        }
        assert_eq!("gs://Da ta/in".parse::<Location>(), Err(InvalidLocation::Bucket));
        assert_eq!("gs://data//in".parse::<Location>(), Err(InvalidLocation::Prefix));
    }

    #[test]
    fn a_day_that_begins_a_folder_takes_the_whole_folder_before_it() {
        let location = Location::new("data", "done/{date}/x");
        for name in ["done/2026/03/04/x/a", "done/a", "done/2026/x"] {
            assert!(location.holds_on_any_day("data", name), "{name}");
        }
        for (bucket, name) in [("data", "done"), ("data", "done2/a"), ("other", "done/a")] {
            assert!(!location.holds_on_any_day(bucket, name), "{bucket} {name}");
        }
        assert!(Location::new("data", "{date}/").holds_on_any_day("data", "a"));
    }

    #[test]
    fn a_day_within_a_folders_name_takes_names_of_that_form_alone() {
        for (prefix, held, free) in [
            (
                "done-{date}",
                &["done-2026/03/04/a", "done-2026/12/31/b/c"][..],
                &[
                    "done-report.csv",
                    "done-2026/a",
                    "done-2026/03/04",
                    "done-2026/03/4/a",
                    "done-é026/03/04/a",
                    "x/done-2026/03/04/a",
                    "done-2026/03/04x/a",
                ][..],
            ),
            (
                "a-{date}-b/{date}/",
                &["a-2026/03/04-b/2026/03/05/x"],
                &["a-2026/03/04-b/x", "a-2026/03/04/2026/03/05/x"],
            ),
        ] {
            let location = Location::new("data", prefix);
            for name in held {
                assert!(location.holds_on_any_day("data", name), "{prefix} {name}");
            }
            for name in free {
                assert!(!location.holds_on_any_day("data", name), "{prefix} {name}");
            }
            assert!(!location.holds_on_any_day("other", held[0]));
        }
    }

    #[test]
    fn the_fixed_part_ends_where_the_date_begins() {
        let location = Location::new("data", "processed/{date}/");
        assert_eq!(location.fixed().prefix, "processed/");
    }
}
