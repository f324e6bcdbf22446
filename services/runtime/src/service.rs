//! A service: its routes behind the guard, reflection and health beside them, on one port.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
    response::{IntoResponse as _, Response},
};
use tokio::{net::TcpListener, task::JoinError};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tower::ServiceBuilder;
use tower_http::limit::RequestBodyLimitLayer;
use url::Url;

use crate::{
    exit::Failure,
    guard::{Guard, GuardArgs, GuardError, GuardLayer, GuardSettings, Mode},
    local_site::LocalSite,
    protocol::is_grpc,
    readiness::ReadinessGate,
    reflection,
    serve::{self, Limits, SpanLayer},
    settings::Problems,
};

/// The longest request body that any route accepts, in bytes: 1 MiB, for `POST /events`. A storage notification carries the whole
/// resource of its object, whose metadata and access list can exceed the 64 KiB that suffice for a name, the more so in base64. Every
/// other route limits its messages to [`MAX_MESSAGE`](brigade_proto::MAX_MESSAGE).
pub const MAX_BODY: usize = 1024 * 1024;

/// Who may call, and the URL at which this service itself can be called.
#[derive(Clone, Debug)]
pub struct AuthConfig {
    /// Who may call.
    pub guard: GuardSettings,
    /// This service's own URL, at which it verifies that a front end protects it.
    pub public_url: Option<Url>,
    /// The hosts by which it may be called when it checks no token.
    pub site: LocalSite,
}

/// A service that is about to be served.
#[derive(Debug)]
pub struct Service<R> {
    name: &'static str,
    auth: AuthConfig,
    routes: R,
}

// === impl AuthConfig ===

impl AuthConfig {
    /// Resolves the arguments; `None` when there was a problem.
    pub fn resolve(
        args: &GuardArgs,
        address: Option<SocketAddr>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let guard = args.resolve(address, problems);
        let public_url = args.public_url(problems);
        let site = args.site(problems);
        Some(Self { guard: guard?, public_url: public_url?, site: site? })
    }
}

impl From<GuardSettings> for AuthConfig {
    fn from(guard: GuardSettings) -> Self {
        Self { guard, public_url: None, site: LocalSite::default() }
    }
}

// === impl Service ===

impl Service<()> {
    /// A service of this gRPC name, by which health knows it.
    pub fn new(name: &'static str, auth: impl Into<AuthConfig>) -> Self {
        Self { name, auth: auth.into(), routes: () }
    }

    /// What the service does. The port is open while this future still connects what the routes need.
    pub fn routes<R>(self, routes: R) -> Service<R>
    where
        R: Future<Output = Result<Router, Failure>>,
    {
        let Self { name, auth, .. } = self;
        Service { name, auth, routes }
    }
}

impl<R: Future<Output = Result<Router, Failure>>> Service<R> {
    /// Serves on a bound listener until `shutdown`.
    ///
    /// The port answers from the first moment: until the routes are ready, health reports `NOT_SERVING` and calls wait. In
    /// `platform` mode the service then verifies that a front end protects it, and fails when none does.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: CancellationToken,
    ) -> Result<(), Failure> {
        let (gate, mut waiting) = ReadinessGate::closed(self.name).await;
        if self.auth.guard.mode == Mode::Off {
            waiting = self.auth.site.protect(waiting);
        }
        let stop = shutdown.cancelled_owned();
        // A task of its own: creating clients blocks its thread for longer than a health check may take.
        let server = tokio::spawn(serve::serve(listener, waiting, Limits::default(), stop));
        let mut server = AbortOnDropHandle::new(server);
        let start = async {
            let guard = Guard::new(self.auth.guard);
            let failed = |error: GuardError| Failure::unavailable(&error, error.hint());
            let guard = Arc::new(guard.map_err(failed)?);
            let routes = self.routes.await?.merge(gate.watch());
            gate.open(guarded(routes, guard.clone())?).await;
            guard.warm();
            Ok::<_, Failure>(guard.verify_front_end(self.auth.public_url.as_ref()).await?)
        };
        tokio::select! {
            ended = &mut server => return finished(ended),
            started = start => started?,
        }
        finished(server.await)
    }
}

/// A handler's panic is answered and never ends the server.
fn finished(server: Result<(), JoinError>) -> Result<(), Failure> {
    server.map_err(|error| Failure::unavailable(format!("the server ended: {error}"), ""))
}

/// Routes and reflection behind the guard. Unknown paths are behind it too: a caller without a token does not learn which exist.
pub(crate) fn guarded(routes: Router, guard: Arc<Guard>) -> Result<Router, Failure> {
    let reflection = reflection::routes(brigade_proto::FILE_DESCRIPTOR_SET).map_err(|error| {
        Failure::unavailable(format!("cannot serve gRPC reflection: {error}"), "")
    })?;
    let routes = routes
        .reset_fallback()
        .merge(reflection.reset_fallback())
        .fallback(no_such_route)
        // One stack, because each layer of a router boxes every route once more.
        .layer(
            ServiceBuilder::new()
                .layer(GuardLayer::new(guard))
                // Behind the guard: a stranger gets no span.
                .layer(SpanLayer)
                // Behind the guard: a refused caller's body is not read.
                .layer(RequestBodyLimitLayer::new(MAX_BODY)),
        );
    Ok(routes)
}

async fn no_such_route(request: Request<Body>) -> Response {
    if is_grpc(request.headers()) {
        tonic::Status::unimplemented(format!("there is no method {}", request.uri().path()))
            .into_http()
    } else {
        (StatusCode::NOT_FOUND, "no such route\n").into_response()
    }
}
