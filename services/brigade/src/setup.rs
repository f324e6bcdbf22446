//! What the subcommands take from the environment, and where they listen on this machine.

use std::{net::Ipv4Addr, ops::RangeInclusive, sync::Arc, time::Duration};

use brigade_client::identity::{self, Environment, TokenSource};
use brigade_runtime::{
    exit::{Failure, require_certificates},
    serve,
    settings::{Problems, unknown},
};
use brigade_storage::gcs::{GcsSettings, GcsStore};
use tokio::net::TcpListener;

use crate::outcome::failure;

/// How long a file that another program writes may have to rest.
pub(crate) const REST_RANGE: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_mins(10);

/// The problems of the environment: variables that no argument of the command reads.
pub(crate) fn problems(command: &clap::Command) -> Problems {
    let mut problems = Problems::default();
    let environment = std::env::vars_os().map(|(name, _)| name);
    problems.extend(unknown(command, environment));
    problems
}

/// Cloud Storage, or the emulator that the environment names.
pub(crate) async fn store() -> Result<Arc<GcsStore>, Failure> {
    let settings = GcsSettings::from_env(|name| std::env::var(name).ok());
    if settings.grpc_endpoint.is_none() && settings.json_endpoint.is_none() {
        // Google's library panics without them.
        require_certificates("Cloud Storage")?;
    }
    connect(settings).await
}

/// Cloud Storage by these settings.
pub(crate) async fn connect(settings: GcsSettings) -> Result<Arc<GcsStore>, Failure> {
    // The client's own future is large; boxed, it keeps every future that waits for it small.
    let store = Box::pin(GcsStore::connect(settings)).await;
    store.map(Arc::new).map_err(failure)
}

/// The environment's source of ID tokens.
pub(crate) fn identity() -> Result<Arc<dyn TokenSource>, Failure> {
    let source = Environment::from_env().and_then(|environment| identity::source(&environment));
    source.map_err(failure)
}

/// Listens on a port that only this machine reaches; 0 is any free one.
pub(crate) async fn bind_loopback(port: u16) -> Result<TcpListener, Failure> {
    serve::bind((Ipv4Addr::LOCALHOST, port).into()).await
}
