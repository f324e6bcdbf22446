//! The calls of one connection: each is admitted, answered, and counted until its response was sent.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Router,
    http::{HeaderValue, Request, Response, Version, header::EXPECT, request::Parts},
};
use brigade_telemetry::within;
use http_body_util::Either;
use hyper::{body::Incoming, service::service_fn};
use tower::Service as _;

use super::{
    activity::{Activity, Work},
    body_timeout::BodyTimeout,
    call_limit::CallLimit,
    drain::Drains,
    observed::Observed,
    panic::{self, CatchPanic},
    tracked_body::{InFlight, TrackedBody},
};
use crate::{
    health::{CHECK_TIME, Kind},
    protocol::{is_grpc, mismatch},
    wait_limit::WaitLimit,
};

pub(super) type Routes = CatchPanic<Router>;

/// The service for the calls of one connection. It wraps the whole router and is no layer of it: a layer boxes every route.
pub(super) fn service(
    routes: Routes,
    limit: CallLimit,
    waits: WaitLimit,
    drains: Drains,
    activity: Arc<Activity>,
    body_time: Duration,
) -> impl hyper::service::Service<
    Request<Incoming>,
    Response = Response<TrackedBody>,
    Error = Infallible,
    Future: Send,
> + Send {
    service_fn(move |request: Request<Incoming>| {
        let kind = Kind::from_path(request.uri().path());
        let grpc = is_grpc(request.headers());
        // The guard looks at the protocol of every other path.
        let refused = (kind == Kind::Check).then(|| mismatch(&request)).flatten();
        let permit = refused.map_or_else(|| limit.try_acquire(kind, grpc), Err);
        let in_flight = permit.map(|permit| {
            let mut work = Work::begin(activity.clone());
            if kind != Kind::Call {
                // A health check is no work: a check that never ends must not keep its connection open.
                work.pause();
            }
            InFlight::new(work, permit)
        });
        let time = match kind {
            Kind::Check => CHECK_TIME,
            Kind::Health | Kind::Call => body_time,
        };
        let mut routes = routes.clone();
        let (mut head, body) = request.into_parts();
        let http = (!grpc).then(|| (head.method.clone(), head.uri.clone()));
        head.extensions.insert(waits.clone());
        let mut observed = match kind {
            Kind::Check | Kind::Health => Observed::default(),
            Kind::Call => Observed::begin(grpc, &mut head),
        };
        let drains = (!waits_for_leave(&head)).then(|| drains.clone());
        let (body, timed_out) = BodyTimeout::new(body, time, drains);
        async move {
            let in_flight = match in_flight {
                Ok(in_flight) => in_flight,
                Err(refusal) => {
                    observed.answered(&refusal);
                    return Ok(refusal.map(|body| TrackedBody::untracked(Either::Right(body))));
                }
            };
            // A router is always ready.
            let called = routes.call(Request::from_parts(head, body));
            let response = within(observed.context(), called).await?;
            let panicked = panic::grpc_response(http.as_ref(), &response);
            let replaced = timed_out.response(grpc, time).or(panicked);
            let response = match replaced {
                Some(ours) => ours.map(Either::Right),
                None => response.map(Either::Left),
            };
            observed.answered(&response);
            let (head, body) = response.into_parts();
            Ok(Response::from_parts(head, TrackedBody::new(body, in_flight, observed).await))
        }
    })
}

/// Whether the client sends its body only after `100 Continue`, which there is in HTTP/1.1 alone here.
fn waits_for_leave(head: &Parts) -> bool {
    let expects = head.headers.get(EXPECT).map(HeaderValue::as_bytes);
    head.version < Version::HTTP_2
        && expects.is_some_and(|value| value.eq_ignore_ascii_case(b"100-continue"))
}
