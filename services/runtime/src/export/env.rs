//! The variables of OpenTelemetry and of Cloud Run.

pub(super) fn var(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}
