//! What every service is made of, from the environment.

use std::sync::Arc;

use brigade_client::identity::{self, Environment, TokenSource};
use brigade_runtime::{
    exit::Failure,
    settings::{Problems, unknown},
};
use brigade_storage::gcs::{GcsSettings, GcsStore};

use clap::CommandFactory as _;

use crate::{cli::Cli, outcome};

/// The problems of the settings, with those of the environment noted already.
pub(crate) fn problems() -> Problems {
    let mut problems = Problems::default();
    let environment = std::env::vars_os().map(|(name, _)| name);
    problems.extend(unknown(&Cli::command(), environment));
    problems
}

/// Settings without a problem and without a value: an error of this program.
pub(crate) fn incomplete() -> Failure {
    Failure::usage("the settings are not complete", "see --help")
}

/// Cloud Storage, or the emulator that the environment names.
pub(crate) async fn store() -> Result<Arc<GcsStore>, Failure> {
    connect(GcsSettings::from_env(|name| std::env::var(name).ok())).await
}

/// Cloud Storage by these settings.
pub(crate) async fn connect(settings: GcsSettings) -> Result<Arc<GcsStore>, Failure> {
    // The client's own future is large, and would make every future that waits for it as large.
    let store = Box::pin(GcsStore::connect(settings)).await;
    store
        .map(Arc::new)
        .map_err(|error| outcome::storage(&error))
}

/// The environment's source of ID tokens.
pub(crate) fn identity() -> Result<Arc<dyn TokenSource>, Failure> {
    let source = Environment::from_env().and_then(|environment| identity::source(&environment));
    source.map_err(|error| outcome::identity(&error))
}
