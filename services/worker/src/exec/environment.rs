//! What a program is told of its object.

use std::{ffi::OsString, path::Path};

use crate::job::Job;

/// A variable, and its value; none for one that the program must not see.
pub(super) type Variable = (&'static str, Option<OsString>);

/// The variables of one run; the worker's own are there too.
///
/// No variable can hold a NUL, and an object's name and content type can: then the variable is not set. `OBJECT_JSON`
/// always is, and has the whole object in proto3 JSON, where a NUL is `\u0000`.
pub(super) fn of(job: &Job, output: &Path, scratch: &Path) -> Vec<Variable> {
    let object = job.object();
    // A message of strings and numbers always has a JSON form.
    let json = serde_json::to_string(object).unwrap_or_default();
    vec![
        ("OBJECT_BUCKET", text(&object.bucket)),
        ("OBJECT_NAME", text(&object.name)),
        ("OBJECT_GENERATION", text(&object.generation.to_string())),
        ("OBJECT_CONTENT_TYPE", text(&object.content_type)),
        ("OBJECT_ATTEMPT", text(&job.attempt().to_string())),
        ("OBJECT_JSON", text(&json)),
        ("OUTPUT_DIR", Some(output.into())),
        // What the program leaves behind there goes when everything else does.
        ("TMPDIR", Some(scratch.into())),
    ]
}

fn text(value: &str) -> Option<OsString> {
    (!value.contains('\0')).then(|| value.into())
}
