//! How the worker is called, and what its settings need of each other.

use brigade_client::{has_path, identity::origin};
use brigade_runtime::settings::{Problems, is_loopback};
use url::Url;

pub(super) const URL: &str = "WORKER_URL";
pub(super) const AUDIENCE: &str = "WORKER_AUDIENCE";
pub(super) const PROTOCOL: &str = "BRIGADE_WORKER_PROTOCOL";
pub(super) const AUTH: &str = "BRIGADE_WORKER_AUTH";

/// How the worker is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Protocol {
    /// `brigade.v1.WorkerService` over gRPC.
    Grpc,
    /// A POST of JSON, whose HTTP status is the answer.
    Http,
}

/// Whether calls to the worker have a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum WorkerAuth {
    /// An ID token that Google signed.
    Google,
    /// None: the worker is on this machine.
    None,
}

/// Notes what contradicts the worker's URL.
pub(super) fn check(
    url: &Url,
    protocol: Protocol,
    auth: WorkerAuth,
    audience: Option<&str>,
    problems: &mut Problems,
) {
    if protocol == Protocol::Grpc && has_path(url) {
        let origin = origin(url);
        let why = format!(
            "{url} has a path or a query, and gRPC calls an origin; fix: set {URL} to {origin}, or {PROTOCOL} to http if the worker takes a \
             POST there"
        );
        problems.conflict(URL, why);
    }
    if auth == WorkerAuth::None && !is_loopback(url) {
        let why = format!(
            "none sends no token, and the {URL} {url} is not on this machine; fix: unset {AUTH}, or set {URL} to \
             http://127.0.0.1:PORT"
        );
        problems.conflict(AUTH, why);
    }
    if auth == WorkerAuth::None && audience.is_some() {
        let why = format!(
            "a token has an audience, and {AUTH}=none sends none; fix: unset one of the two"
        );
        problems.conflict(AUDIENCE, why);
    }
}
