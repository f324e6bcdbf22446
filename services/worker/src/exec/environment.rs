//! The environment variables that describe the object to a program.

use std::{ffi::OsString, path::Path};

use crate::job::Job;

/// A variable and its value; without a value it is removed.
pub(super) type Variable = (&'static str, Option<OsString>);

/// The variables of one run, in addition to the worker's own.
///
/// A variable cannot hold a NUL, but an object's name and content type can: then the variable is not set. `OBJECT_JSON` is
/// always set to the whole object in proto3 JSON, where a NUL is `\u0000`.
pub(super) fn variables(job: &Job, output: &Path, scratch: &Path, unpacked: bool) -> Vec<Variable> {
    let object = job.object();
    // Of the copy, which may be unpacked already.
    let encoding = if unpacked { "" } else { &object.content_encoding };
    // A message of strings and numbers always has a JSON form.
    let json = serde_json::to_string(object).unwrap_or_default();
    vec![
        ("OBJECT_BUCKET", text(&object.bucket)),
        ("OBJECT_NAME", text(&object.name)),
        ("OBJECT_GENERATION", text(&object.generation.to_string())),
        ("OBJECT_CONTENT_TYPE", text(&object.content_type)),
        ("OBJECT_CONTENT_ENCODING", text(encoding)),
        ("OBJECT_ATTEMPT", text(&job.attempt().to_string())),
        ("OBJECT_JSON", text(&json)),
        ("OUTPUT_DIR", Some(output.into())),
        // Temporary files are removed with the run's directory.
        ("TMPDIR", Some(scratch.into())),
    ]
}

fn text(value: &str) -> Option<OsString> {
    (!value.contains('\0')).then(|| value.into())
}
