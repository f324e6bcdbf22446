//! Serves a service behind its guard.

use std::sync::Arc;

use crate::{
    app,
    exit::Failure,
    guard::{Guard, GuardSettings},
    health, reflection,
    serve::{self, Limits},
    settings::{GuardArgs, Problems, ServerSettings},
};
use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;

/// Who may call, and where this service can be called itself.
#[derive(Clone, Debug)]
pub struct Gate {
    /// Who may call.
    pub guard: GuardSettings,
    /// This service's own URL, at which it proves that a front end stands before it.
    pub public_url: Option<Url>,
}

// === impl Gate ===

impl Gate {
    /// As the arguments say; nothing when there was a problem.
    pub fn resolve(
        args: &GuardArgs,
        server: Option<&ServerSettings>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let guard = args.resolve(server, problems);
        let public_url = args.public_url(problems);
        Some(Self {
            guard: guard?,
            public_url: public_url?,
        })
    }
}

impl From<GuardSettings> for Gate {
    fn from(guard: GuardSettings) -> Self {
        Self {
            guard,
            public_url: None,
        }
    }
}

/// A service's routes with health beside them and the guard before them.
pub async fn assemble(
    routes: Router,
    service: &str,
    guard: GuardSettings,
) -> Result<Router, Failure> {
    behind(routes, service, Arc::new(guard_of(guard)?)).await
}

/// Serves a service on a bound listener until `shutdown`.
///
/// In `platform` mode it proves meanwhile that a front end stands before it, and ends with an error when none does.
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    service: &str,
    gate: Gate,
    shutdown: CancellationToken,
) -> Result<(), Failure> {
    let guard = Arc::new(guard_of(gate.guard)?);
    let app = behind(routes, service, guard.clone()).await?;
    let serving = serve::serve(listener, app, Limits::default(), shutdown.cancelled_owned());
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        () = &mut serving => return Ok(()),
        proven = guard.prove_front_end(gate.public_url.as_ref()) => proven?,
    }
    serving.await;
    Ok(())
}

fn guard_of(settings: GuardSettings) -> Result<Guard, Failure> {
    Guard::new(settings).map_err(|error| Failure::unavailable(error, ""))
}

async fn behind(routes: Router, service: &str, guard: Arc<Guard>) -> Result<Router, Failure> {
    let reflection = reflection::routes(brigade_proto::FILE_DESCRIPTOR_SET)
        .map_err(|error| Failure::unavailable(format!("cannot serve reflection: {error}"), ""))?;
    let health = health::routes(&[service]).await;
    Ok(app::assemble(routes, reflection, health, guard))
}
