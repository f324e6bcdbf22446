//! Calls about buckets.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{
    Answer, Call,
    body::{body_object, json_response, no_content},
    resource,
};
use brigade_model::{Refusal, Result};

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
        return Err(Refusal::invalid("A bucket needs a name."));
    };
    if resource.get("versioning").is_some_and(|versioning| versioning["enabled"] == true) {
        return Err(Refusal::unsupported("object versioning"));
    }
    let retention = retention(&resource)?;
    let info = call.storage.run(move |model| model.create_bucket(&name, retention)).await?;
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
