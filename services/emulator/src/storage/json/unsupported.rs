//! What the real service has and the emulator has not: it is refused with 501. To ignore it, or to say that there is no such
//! thing, would mislead.

use axum::{Router, body::Body, routing::any};
use http::{HeaderMap, Request, Response};
use serde_json::{Map, Value};

use super::{error, params::Params};
use brigade_model::{Refusal, Result};

/// Calls that have no route of their own.
const CALLS: &[&str] = &[
    "/batch",
    "/batch/storage/v1",
    "/storage/v1/b/{bucket}/acl",
    "/storage/v1/b/{bucket}/acl/{entity}",
    "/storage/v1/b/{bucket}/anywhereCaches",
    "/storage/v1/b/{bucket}/defaultObjectAcl",
    "/storage/v1/b/{bucket}/defaultObjectAcl/{entity}",
    "/storage/v1/b/{bucket}/folders",
    "/storage/v1/b/{bucket}/iam",
    "/storage/v1/b/{bucket}/iam/testPermissions",
    "/storage/v1/b/{bucket}/lockRetentionPolicy",
    "/storage/v1/b/{bucket}/managedFolders",
    "/storage/v1/b/{bucket}/notificationConfigs",
    "/storage/v1/b/{bucket}/notificationConfigs/{notification}",
    "/storage/v1/b/{bucket}/o/{object}/acl",
    "/storage/v1/b/{bucket}/o/{object}/acl/{entity}",
    "/storage/v1/b/{bucket}/o/{object}/compose",
    "/storage/v1/b/{bucket}/o/{object}/iam",
    "/storage/v1/b/{bucket}/o/{object}/restore",
    "/storage/v1/b/{bucket}/storageLayout",
];

/// Query parameters that would change what a call does.
const PARAMETERS: &[&str] = &[
    "matchGlob",
    "softDeleted",
    "filter",
    "kmsKeyName",
    "destinationKmsKeyName",
    "enableObjectRetention",
];

/// Parameters that name access for a group; what keeps an object inside its project changes nothing here.
const ACLS: &[&str] = &["predefinedAcl", "destinationPredefinedAcl", "predefinedDefaultObjectAcl"];
const PUBLIC: &[&str] = &["publicRead", "publicReadWrite", "authenticatedRead"];

/// Headers with these beginnings have a customer's key.
const KEYS: &[&str] = &["x-goog-encryption-", "x-goog-copy-source-encryption-"];

/// Fields of an object that would change what is stored, or who may read it.
pub(super) const OF_OBJECTS: &[&str] =
    &["acl", "contexts", "customerEncryption", "kmsKeyName", "retention"];

/// Fields of a bucket that would change what its objects do.
pub(super) const OF_BUCKETS: &[&str] = &[
    "acl",
    "autoclass",
    "billing",
    "customPlacementConfig",
    "defaultEventBasedHold",
    "defaultObjectAcl",
    "encryption",
    "hierarchicalNamespace",
    "ipFilter",
    "lifecycle",
    "objectRetention",
    "versioning",
];

/// Adds the calls that are refused.
pub(super) fn routes(routes: Router) -> Router {
    CALLS.iter().fold(routes, |routes, path| routes.route(path, any(refuse_call)))
}

/// Refuses a call.
pub(super) async fn refuse_call(request: Request<Body>) -> Response<Body> {
    let what = format!("{} {}", request.method(), request.uri().path());
    error::response(&Refusal::unsupported(&what))
}

/// Refuses what a call's parameters and headers ask for.
pub(super) fn refuse(params: &Params, headers: &HeaderMap) -> Result<()> {
    let is_key = |name: &str| KEYS.iter().any(|begin| name.starts_with(begin));
    if headers.keys().any(|name| is_key(name.as_str())) {
        return Err(Refusal::unsupported("encryption with a customer-supplied key"));
    }
    let asked = |key: &str| params.get(key).is_some_and(|value| value != "false");
    let public = |key: &str| params.get(key).is_some_and(|value| PUBLIC.contains(&value));
    let parameter = PARAMETERS.iter().find(|key| asked(key));
    match parameter.or_else(|| ACLS.iter().find(|key| public(key))) {
        Some(key) => Err(Refusal::unsupported(key)),
        None => Ok(()),
    }
}

/// Refuses fields of a resource that ask for something.
pub(super) fn refuse_fields(resource: &Map<String, Value>, fields: &[&str]) -> Result<()> {
    let asked = |field: &&&str| resource.get(**field).is_some_and(|value| !is_nothing(value));
    match fields.iter().find(asked) {
        Some(field) => Err(Refusal::unsupported(&format!("the field {field}"))),
        None => Ok(()),
    }
}

/// Whether a field says no more than its absence: `{"enabled": false}`, `{"rule": []}`.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(values) => values.is_empty(),
        Value::Object(fields) => fields.values().all(is_nothing),
        Value::Bool(true) | Value::Number(_) | Value::String(_) => false,
    }
}
