//! Requests about buckets.

use std::time::Duration;

use super::wire;
use brigade_model::{BucketConfig, Conditions, Refusal, Result};

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

/// What the bucket that is to be made is set to.
pub(super) fn config(request: wire::CreateBucketRequest) -> Result<BucketConfig> {
    let bucket = request.bucket.unwrap_or_default();
    for (asked, what) in [
        (bucket.versioning.is_some_and(|versioning| versioning.enabled), "versioning"),
        (!bucket.lifecycle.is_empty(), "lifecycle"),
        (bucket.default_event_based_hold, "default_event_based_hold"),
        (!bucket.encryption.is_empty(), "encryption"),
        (!bucket.billing.is_empty(), "billing"),
        (!bucket.custom_placement_config.is_empty(), "custom_placement_config"),
        (!bucket.autoclass.is_empty(), "autoclass"),
        (!bucket.hierarchical_namespace.is_empty(), "hierarchical_namespace"),
        (!bucket.ip_filter.is_empty(), "ip_filter"),
        (request.enable_object_retention, "enable_object_retention"),
    ] {
        if asked {
            return Err(Refusal::unsupported(&format!("the field {what}")));
        }
    }
    let period = bucket.retention_policy.and_then(|policy| policy.retention_duration);
    let retention = period.map(Duration::try_from).transpose();
    Ok(BucketConfig {
        retention: retention
            .map_err(|_| Refusal::invalid("The retention duration cannot be negative."))?,
        storage_class: bucket.storage_class,
        location: bucket.location,
        labels: bucket.labels,
        ..BucketConfig::default()
    })
}

pub(super) fn page_size(asked: i32) -> Result<usize> {
    match usize::try_from(asked) {
        Ok(0) => Ok(LONGEST_PAGE),
        Ok(size) => Ok(size.min(LONGEST_PAGE)),
        Err(_) => Err(Refusal::invalid("The page size cannot be negative.")),
    }
}
