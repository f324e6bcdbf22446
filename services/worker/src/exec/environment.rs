//! What the program is told of its object.

use std::{ffi::OsString, path::Path};

use crate::job::Job;

/// The variables of one run.
///
/// No variable can hold a NUL, and an object's name can: then `OBJECT_NAME` is empty, and `OBJECT_JSON`, which is always
/// there, has the whole object in proto3 JSON, where a NUL is `\u0000`.
pub(super) fn of(job: &Job, output: &Path) -> Vec<(&'static str, OsString)> {
    let object = job.object();
    let name = if object.name.contains('\0') {
        ""
    } else {
        &object.name
    };
    let json = serde_json::to_string(object).unwrap_or_default();
    let content_type = object.content_type.replace('\0', "");
    vec![
        ("OBJECT_BUCKET", object.bucket.clone().into()),
        ("OBJECT_NAME", name.into()),
        ("OBJECT_GENERATION", object.generation.to_string().into()),
        ("OBJECT_CONTENT_TYPE", content_type.into()),
        ("OBJECT_ATTEMPT", job.attempt().to_string().into()),
        ("OBJECT_JSON", json.into()),
        ("OUTPUT_DIR", output.into()),
    ]
}
