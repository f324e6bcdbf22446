//! Requests about buckets.

use std::time::Duration;

use super::wire;
use brigade_model::{Conditions, Refusal, Result};

/// The longest page of buckets.
const LONGEST_PAGE: usize = 1_000;

/// A bucket has a metageneration and no generation.
pub(super) fn conditions(matches: Option<i64>, not_matches: Option<i64>) -> Conditions {
    Conditions {
        metageneration_match: matches,
        metageneration_not_match: not_matches,
        ..Conditions::default()
    }
}

/// How long the bucket that is to be made keeps its objects.
pub(super) fn retention(request: &wire::CreateBucketRequest) -> Result<Option<Duration>> {
    let Some(bucket) = &request.bucket else {
        return Ok(None);
    };
    if bucket.versioning.is_some_and(|versioning| versioning.enabled) {
        return Err(Refusal::unsupported("object versioning"));
    }
    let Some(policy) = &bucket.retention_policy else {
        return Ok(None);
    };
    let period = policy.retention_duration.map(Duration::try_from);
    period.transpose().map_err(|_| Refusal::invalid("The retention duration cannot be negative."))
}

pub(super) fn page_size(asked: i32) -> Result<usize> {
    match usize::try_from(asked) {
        Ok(0) => Ok(LONGEST_PAGE),
        Ok(size) => Ok(size.min(LONGEST_PAGE)),
        Err(_) => Err(Refusal::invalid("The page size cannot be negative.")),
    }
}
