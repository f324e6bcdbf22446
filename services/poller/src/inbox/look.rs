//! All that is known of one object.

use std::sync::Arc;

use brigade_proto::v1::{GetObjectRequest, GetObjectResponse, InboxObject, Output, Place};
use brigade_storage::{
    Object,
    object::escape,
    provenance::{self, Origin},
};
use futures::{StreamExt as _, stream};
use jiff::Timestamp;

use super::{
    describe::describe_now,
    place,
    selection::{MAX_NAME, invalid},
};
use crate::{config::Config, error::PollError, instance::Instance, retry, wire};

/// Outputs that are looked at, and how many at once.
const MAX_OUTPUTS: usize = 20;
const AT_ONCE: usize = 5;
/// Where a name is looked for, in this order.
const PLACES: [Place; 3] = [Place::Failed, Place::Inbox, Place::Processed];

/// One object with its outputs; nothing when no place has it.
pub(crate) async fn look(
    instance: &Arc<Instance>,
    request: &GetObjectRequest,
) -> Result<Option<GetObjectResponse>, PollError> {
    let now = instance.clock.now();
    let candidates = candidates(&instance.config, request, now)?;
    let Some((place, object)) = find(instance, candidates).await? else { return Ok(None) };
    let described = describe_now(instance, place, &object);
    let path = place::inbox_path(&instance.config, place, &object);
    let others = others(instance, place, &path, now).await?;
    let outputs = stream::iter(described.outputs.clone().into_iter().take(MAX_OUTPUTS))
        .map(|uri| output(instance.clone(), uri))
        .buffered(AT_ONCE);
    Ok(Some(GetObjectResponse {
        outputs: outputs.collect().await,
        log_filter: log_filter(&object, &described),
        object: Some(described),
        others,
    }))
}

/// The whole names that the request may mean, and their places.
pub(crate) fn candidates(
    config: &Config,
    request: &GetObjectRequest,
    now: Timestamp,
) -> Result<Vec<(Place, String)>, PollError> {
    let name = &*request.name;
    let wanted = Place::try_from(request.place);
    let Ok(wanted) = wanted else {
        return invalid("place", format!("{} is no place", request.place));
    };
    let path = name.strip_prefix("gs://").and_then(|rest| rest.split_once('/'));
    let longest = path.map_or(name, |(_, path)| path);
    if longest.is_empty() || longest.len() > MAX_NAME || name.contains(['\r', '\n']) {
        let why = "an object's name has 1 to 1024 bytes, and no line breaks";
        return invalid("name", why);
    }
    let places = PLACES.into_iter().filter(|place| [*place, Place::Unspecified].contains(&wanted));
    let mut candidates = Vec::new();
    for place in places {
        let Some(location) = place::location(config, place) else { continue };
        let names = match path {
            Some((bucket, path)) if bucket == location.bucket => vec![path.to_owned()],
            Some(_) => Vec::new(),
            None => {
                let mut names = place::names(config, place, name, now);
                names.push(name.to_owned());
                names
            }
        };
        let is_there = |name: &String| place::find(config, &location.bucket, name) == Some(place);
        candidates.extend(names.into_iter().filter(is_there).map(|name| (place, name)));
    }
    if candidates.is_empty() {
        let Config { inbox, processed, failed, .. } = config;
        let why = match wanted {
            Place::Unspecified => format!("it is in none of {inbox}, {processed} and {failed}"),
            wanted => {
                let location = place::location(config, wanted).unwrap_or(inbox);
                format!("it is not in {location}")
            }
        };
        return invalid("name", why);
    }
    Ok(candidates)
}

/// The first that is there.
async fn find(
    instance: &Instance,
    candidates: Vec<(Place, String)>,
) -> Result<Option<(Place, Object)>, PollError> {
    for (place, name) in candidates {
        let bucket = place::bucket(instance, place);
        if let Some(object) = retry::live_object(&*bucket, &name).await? {
            return Ok(Some((place, object)));
        }
    }
    Ok(None)
}

/// What the other places have at the name that the object had in the inbox.
async fn others(
    instance: &Instance,
    place: Place,
    path: &str,
    now: Timestamp,
) -> Result<Vec<InboxObject>, PollError> {
    let mut others = Vec::new();
    for other in PLACES.into_iter().filter(|other| *other != place) {
        let names = place::names(&instance.config, other, path, now);
        let candidates = names.into_iter().map(|name| (other, name)).collect();
        if let Some((place, object)) = find(instance, candidates).await? {
            others.push(describe_now(instance, place, &object));
        }
    }
    Ok(others)
}

async fn output(instance: Arc<Instance>, uri: String) -> Output {
    let mut output = Output { uri, ..Output::default() };
    let named = output.uri.strip_prefix("gs://").and_then(|rest| rest.split_once('/'));
    let Some((bucket, name)) = named else {
        output.error = "it is no gs:// URI".into();
        return output;
    };
    let known = PLACES.map(|place| place::bucket(&instance, place));
    let known = known.into_iter().find(|known| known.name() == bucket);
    let opened = known.or_else(|| instance.store.as_ref().map(|store| store.bucket(bucket)));
    let Some(bucket) = opened else {
        output.error = "this poller opens no other buckets".into();
        return output;
    };
    match retry::live_object(&*bucket, name).await {
        Ok(found) => output.object = found.as_ref().map(wire::object),
        Err(error) => output.error = error.to_string(),
    }
    output
}

/// The filter for Cloud Logging: log lines name the object in the inbox, and where it was moved to. One without marks is known by
/// the latter alone.
fn log_filter(object: &Object, described: &InboxObject) -> String {
    let source =
        (!described.source.is_empty()).then(|| provenance::source_in(&object.metadata)).flatten();
    let moved = source.is_none() && described.place() != Place::Inbox;
    let uri = match source {
        Some(Origin { bucket, name, .. }) => format!("gs://{bucket}/{name}"),
        None => object.uri(),
    };
    // The log escapes controls, and its own filter quotes and backslashes.
    let uri: Vec<_> = uri.split('\\').map(|part| escape(part).to_string()).collect();
    let uri = uri.join("\\").replace('\\', "\\\\").replace('"', "\\\"");
    let field = if moved { "destination" } else { "object" };
    format!("jsonPayload.{field}=\"{uri}\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::object;

    #[test]
    fn the_log_filter_quotes_a_name_as_the_log_has_it() {
        let at = |place: Place| InboxObject { place: place.into(), ..InboxObject::default() };
        let filter = |name| log_filter(&object(name, 1), &at(Place::Inbox));
        assert_eq!(filter("in/a b.csv"), r#"jsonPayload.object="gs://bucket/in/a b.csv""#);
        assert_eq!(filter("in/\"x\\\t"), r#"jsonPayload.object="gs://bucket/in/\"x\\\\t""#);
        let without_marks = log_filter(&object("processed/x", 1), &at(Place::Processed));
        assert_eq!(without_marks, r#"jsonPayload.destination="gs://bucket/processed/x""#);
    }
}
