//! Calls about buckets.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{
    Answer, Call,
    body::{body_object, json_response, no_content},
    resource, unsupported,
};
use brigade_model::{BucketConfig, Refusal, Result};

const LONGEST_PAGE: usize = 1_000;

pub(super) async fn list(call: Call) -> Answer {
    let limit = call.params.number("maxResults")?.unwrap_or(LONGEST_PAGE).clamp(1, LONGEST_PAGE);
    let (prefix, from) = (call.params.text("prefix"), call.params.text("pageToken"));
    let (page, next) =
        call.storage.run(move |model| model.list_buckets(&prefix, &from, limit)).await?;
    let mut answer = json!({"kind": "storage#buckets"});
    if !page.is_empty() {
        answer["items"] = page.iter().map(resource::bucket).collect();
    }
    if !next.is_empty() {
        answer["nextPageToken"] = json!(next);
    }
    Ok(json_response(&answer))
}

pub(super) async fn create(call: Call) -> Answer {
    let resource = body_object(&call.body)?;
    let Some(name) = resource.get("name").and_then(Value::as_str).map(str::to_owned) else {
        return Err(Refusal::required("name"));
    };
    let config = config(&resource)?;
    let info = call.storage.run(move |model| model.create_bucket(&name, config)).await?;
    Ok(json_response(&resource::bucket(&info)))
}

pub(super) async fn get(call: Call) -> Answer {
    let conditions = call.params.conditions()?;
    let info =
        call.storage.run(move |model| model.get_bucket(&call.at.bucket, &conditions)).await?;
    Ok(json_response(&resource::bucket(&info)))
}

pub(super) async fn delete(call: Call) -> Answer {
    let conditions = call.params.conditions()?;
    call.storage.run(move |model| model.delete_bucket(&call.at.bucket, &conditions)).await?;
    Ok(no_content())
}

/// Fields that are stored and returned: nothing that the emulator does depends on them.
const STORED: &[&str] =
    &["cors", "iamConfiguration", "logging", "rpo", "softDeletePolicy", "website"];

fn config(resource: &Map<String, Value>) -> Result<BucketConfig> {
    unsupported::refuse_fields(resource, unsupported::OF_BUCKETS)?;
    let text = |key| resource::text(key, resource.get(key).unwrap_or(&Value::Null));
    let mut config = BucketConfig {
        retention: retention(resource)?,
        storage_class: text("storageClass")?,
        location: text("location")?,
        ..BucketConfig::default()
    };
    if let Some(labels) = resource.get("labels") {
        resource::apply_metadata("labels", labels, &mut config.labels)?;
    }
    for &field in STORED {
        if let Some(value) = resource.get(field) {
            config.fields.insert(field.to_owned(), value.to_string());
        }
    }
    Ok(config)
}

/// Seconds, as a string or a number.
fn retention(resource: &Map<String, Value>) -> Result<Option<Duration>> {
    let Some(policy) = resource.get("retentionPolicy").filter(|policy| !policy.is_null()) else {
        return Ok(None);
    };
    let period = &policy["retentionPeriod"];
    let seconds = period.as_u64().or_else(|| period.as_str()?.parse().ok());
    seconds
        .filter(|&seconds| seconds > 0)
        .map(|seconds| Some(Duration::from_secs(seconds)))
        .ok_or_else(|| Refusal::invalid("retentionPolicy needs a retentionPeriod in seconds."))
}
