//! What the environment says, in whatever bytes.

use std::{ffi::OsString, os::unix::ffi::OsStringExt as _, path::PathBuf};

use super::*;

/// No UTF-8, and a file name like any other.
const BYTES: &[u8] = b"/keys/caf\xe9.json";

fn with(name: &str, value: &[u8]) -> Result<Environment, Error> {
    Environment::from_lookup(|asked| (asked == name).then(|| OsString::from_vec(value.to_vec())))
}

#[test]
fn a_key_file_may_have_any_name_and_never_gives_way_to_the_metadata_server() {
    let environment = with("GOOGLE_APPLICATION_CREDENTIALS", BYTES).unwrap();
    let path = PathBuf::from(OsString::from_vec(BYTES.to_vec()));
    assert_eq!(environment.google_application_credentials, Some(path.clone()));
    // It is not there; what matters is that it was looked for.
    let error = source(&environment).unwrap_err();
    assert!(matches!(&error, Error::Unreadable { path: missed, .. } if *missed == path), "{error}");
}

#[test]
fn a_variable_that_is_no_path_and_no_text_is_an_error_that_names_it() {
    for name in [
        "BRIGADE_IMPERSONATE",
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS",
        "GCE_METADATA_HOST",
    ] {
        let error = with(name, BYTES).unwrap_err();
        assert_eq!(error, Error::NotText(name));
        assert!(error.to_string().starts_with(name) && !error.is_transient());
    }
}

#[test]
fn an_empty_variable_is_not_set() {
    for name in ["BRIGADE_IMPERSONATE", "GOOGLE_APPLICATION_CREDENTIALS"] {
        assert_eq!(with(name, b""), Ok(Environment::default()));
    }
}
