//! The names that a settled object may get.

use std::{borrow::Cow, fmt::Write as _};

use brigade_storage::{Location, location::DATE, naming::tagged};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

/// Cloud Storage's limit for an object's name, in bytes of UTF-8.
const MAX_NAME: usize = 1024;
/// `~` and 16 hex digits.
const TAIL: usize = 17;
/// How many names are tried when each one before is taken.
const MAX_CANDIDATES: u32 = 10;

/// The names to try at `to`, in order, for the object `below` the inbox: its own, then with the generation before the
/// extension, then numbered. Nothing that is there is ever replaced.
pub(crate) fn candidates(
    to: &Location,
    below: &str,
    generation: i64,
    now: Timestamp,
) -> impl Iterator<Item = String> + Send + 'static {
    let base = base(to, below, now);
    (0..MAX_CANDIDATES).map(move |n| match n {
        0 => fit(&base),
        n => fit(&tagged(&base, &tag(generation, n))),
    })
}

/// The names that earlier versions tried in place of those with the generation, which stood at the end; none when they are
/// the same.
pub(crate) fn older_candidates(
    to: &Location,
    below: &str,
    generation: i64,
    now: Timestamp,
) -> impl Iterator<Item = String> + Send + 'static {
    let base = base(to, below, now);
    let is_same = tagged(&base, "") == format!("{base}.");
    let numbers = if is_same { 0..0 } else { 1..MAX_CANDIDATES };
    numbers.map(move |n| fit(&format!("{base}.{}", tag(generation, n))))
}

/// What is added to a taken name, for the `n`th name to try.
fn tag(generation: i64, n: u32) -> String {
    if n == 1 { generation.to_string() } else { format!("{generation}.{n}") }
}

/// Whether one of the names to try at `to` may have to be cut, so that it does not tell the whole name any more.
pub(crate) fn may_be_cut(to: &Location, below: &str, generation: i64, now: Timestamp) -> bool {
    // Most names are far from the limit: a date is shorter than its place in the prefix and the rest of this together.
    if 2 * to.prefix.len() + below.len() + 2 * TAIL < MAX_NAME {
        return false;
    }
    let last = MAX_CANDIDATES - 1;
    let longest = format!("{}.{}", base(to, below, now), tag(generation, last));
    longest.len() > MAX_NAME
}

/// The first name to try.
fn base(to: &Location, below: &str, now: Timestamp) -> String {
    format!("{}{below}", dated(&to.prefix, now))
}

/// Replaces `{date}` by the UTC day.
pub(crate) fn dated(prefix: &str, now: Timestamp) -> Cow<'_, str> {
    if !prefix.contains(DATE) {
        return Cow::Borrowed(prefix);
    }
    Cow::Owned(prefix.replace(DATE, &now.strftime("%Y/%m/%d").to_string()))
}

/// Cuts a name that is too long at a character and ends it with a digest of the whole, so that two long names never
/// become one.
fn fit(name: &str) -> String {
    if name.len() <= MAX_NAME {
        return name.to_owned();
    }
    let start = &name[..name.floor_char_boundary(MAX_NAME - TAIL)];
    format!("{start}~{}", hex(&Sha256::digest(name)[..8]))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn names(prefix: &str, below: &str) -> Vec<String> {
        let now: Timestamp = "2026-03-04T23:59:59Z".parse().unwrap();
        candidates(&Location::new("b", prefix), below, 42, now).collect()
    }

    #[test]
    fn a_taken_name_is_followed_by_the_generation_and_then_numbered() {
        assert_eq!(
            names("processed/", "a/b.csv")[..3],
            ["processed/a/b.csv", "processed/a/b.42.csv", "processed/a/b.42.2.csv"]
        );
        assert_eq!(names("processed/", "x.tar.gz")[1], "processed/x.42.tar.gz");
        assert_eq!(names("processed/", "README")[1], "processed/README.42");
    }

    #[test]
    fn the_names_of_earlier_versions_are_known_where_they_differ() {
        let older = |below| -> Vec<String> {
            let to = Location::new("b", "processed/");
            older_candidates(&to, below, 42, Timestamp::UNIX_EPOCH).collect()
        };
        assert_eq!(older("b.csv")[..2], ["processed/b.csv.42", "processed/b.csv.42.2"]);
        assert_eq!(older("b.csv").len(), names("processed/", "b.csv").len() - 1);
        assert_eq!(older("README"), [""; 0]);
    }

    #[test]
    fn a_date_becomes_the_utc_day() {
        assert_eq!(names("done/{date}/", "x")[0], "done/2026/03/04/x");
    }

    #[test]
    fn a_name_at_the_limit_is_kept_and_one_over_it_is_cut_at_a_character() {
        let fits = "x".repeat(MAX_NAME - "failed/".len());
        assert_eq!(names("failed/", &fits)[0], format!("failed/{fits}"));
        for character in ["x", "é", "日", "👩"] {
            let long = character.repeat(1024 / character.len());
            let name = &names("failed/", &long)[0];
            assert!(name.len() <= MAX_NAME && name.len() > MAX_NAME - 4, "{}", name.len());
            assert_eq!(name.as_bytes()[name.len() - TAIL], b'~');
        }
    }

    #[test]
    fn whatever_is_cut_was_known_to_be() {
        let now = Timestamp::UNIX_EPOCH;
        let to = Location::new("b", "processed/");
        for (length, extension) in (980..=1024).flat_map(|length| [(length, ""), (length, ".csv")])
        {
            let stem = "x".repeat(length);
            let below = format!("{stem}{extension}");
            let whole = |name: &String| {
                name.starts_with(&format!("processed/{stem}")) && name.ends_with(extension)
            };
            let cut = !candidates(&to, &below, 42, now).all(|name| whole(&name));
            assert_eq!(may_be_cut(&to, &below, 42, now), cut, "{below}");
        }
    }

    proptest! {
        #[test]
        fn different_objects_never_share_a_candidate(
            a in "[a-zé日]{1,4}", b in "[a-zé日]{1,4}", times in 200_usize..340,
            ends in prop::array::uniform2(prop::sample::select(vec!["", ".csv", ".tar.gz"])),
        ) {
            prop_assume!(a != b);
            let (a, b) = (a.repeat(times) + ends[0], b.repeat(times) + ends[1]);
            prop_assume!(a != b);
            let first: BTreeSet<_> = names("processed/", &a).into_iter().collect();
            prop_assert!(names("processed/", &b).iter().all(|name| !first.contains(name)));
            prop_assert!(first.iter().all(|name| name.len() <= MAX_NAME));
        }
    }
}
