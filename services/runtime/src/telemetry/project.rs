//! The project that this process runs in, by which Cloud Logging knows its traces.

use std::sync::OnceLock;

/// What Google's libraries read.
pub(super) const GOOGLE_CLOUD_PROJECT: &str = "GOOGLE_CLOUD_PROJECT";

static PROJECT: OnceLock<String> = OnceLock::new();

/// The project, from now on. The first one stays; what is no project's id counts as none.
pub(crate) fn set(project: &str) {
    let project = project.trim();
    let is_id = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b':' | b'.');
    if !project.is_empty() && project.len() <= 64 && project.bytes().all(is_id) {
        let _ = PROJECT.set(project.to_owned());
    }
}

pub(crate) fn get() -> Option<&'static str> {
    PROJECT.get().map(String::as_str)
}
