//! Serves a service behind its guard.

use std::sync::Arc;

use crate::{
    app,
    door::ReadinessGate,
    exit::Failure,
    guard::{Guard, GuardSettings},
    health, reflection,
    serve::{self, Limits},
    settings::{GuardArgs, Problems, ServerSettings},
};
use axum::Router;
use tokio::{net::TcpListener, task::JoinError};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use url::Url;

/// Who may call, and where this service can be called itself.
#[derive(Clone, Debug)]
pub struct AuthConfig {
    /// Who may call.
    pub guard: GuardSettings,
    /// This service's own URL, at which it proves that a front end stands before it.
    pub public_url: Option<Url>,
}

// === impl AuthConfig ===

impl AuthConfig {
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

impl From<GuardSettings> for AuthConfig {
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
/// The port answers from the first moment. `routes` is what takes time: until it has ended, health says so, and calls
/// wait. In `platform` mode the service then proves that a front end stands before it, and ends with an error when none
/// does.
pub async fn serve(
    listener: TcpListener,
    routes: impl Future<Output = Result<Router, Failure>>,
    service: &str,
    gate: AuthConfig,
    shutdown: CancellationToken,
) -> Result<(), Failure> {
    let (door, waiting) = ReadinessGate::closed(service).await;
    let stop = shutdown.cancelled_owned();
    // A task of its own, because to make clients is work that leaves its thread no time to answer.
    let serving = tokio::spawn(serve::serve(listener, waiting, Limits::default(), stop));
    let mut serving = AbortOnDropHandle::new(serving);
    let opening = async {
        let guard = Arc::new(guard_of(gate.guard)?);
        let routes = routes.await?.merge(door.watch());
        door.open(guarded(routes, guard.clone())?).await;
        guard.warm();
        Ok::<_, Failure>(guard.prove_front_end(gate.public_url.as_ref()).await?)
    };
    tokio::select! {
        ended = &mut serving => return done(ended),
        opened = opening => opened?,
    }
    done(serving.await)
}

/// A handler's panic is answered and never comes this far.
fn done(ended: Result<(), JoinError>) -> Result<(), Failure> {
    ended.map_err(|error| Failure::unavailable(format!("the server ended: {error}"), ""))
}

fn guard_of(settings: GuardSettings) -> Result<Guard, Failure> {
    Guard::new(settings).map_err(|error| Failure::unavailable(error, ""))
}

async fn behind(routes: Router, service: &str, guard: Arc<Guard>) -> Result<Router, Failure> {
    let health = health::routes(&[service]).await;
    Ok(app::assemble(routes, reflection()?, health, guard))
}

fn guarded(routes: Router, guard: Arc<Guard>) -> Result<Router, Failure> {
    Ok(app::guarded(routes, reflection()?, guard))
}

fn reflection() -> Result<Router, Failure> {
    reflection::routes(brigade_proto::FILE_DESCRIPTOR_SET)
        .map_err(|error| Failure::unavailable(format!("cannot serve reflection: {error}"), ""))
}
