//! The calls of one connection: each is admitted, answered, and counted until its response was sent.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Router,
    http::{Request, Response},
};
use http_body_util::Either;
use hyper::{body::Incoming, service::service_fn};
use tower::Service as _;

use super::{
    activity::{Activity, Work},
    body_timeout::BodyTimeout,
    call_limit::CallLimit,
    panic::{self, CatchPanic},
    tracked_body::{InFlight, TrackedBody},
};
use crate::{
    health::{CHECK_TIME, Kind},
    protocol::is_grpc,
};

pub(super) type Routes = CatchPanic<Router>;

/// The service for the calls of one connection. It wraps the whole router and is no layer of it: a layer boxes every route.
pub(super) fn service(
    routes: Routes,
    limit: CallLimit,
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
        let in_flight = limit.try_acquire(kind, grpc).map(|permit| {
            let mut work = Work::begin(activity.clone());
            if kind != Kind::Call {
                // A health check is no work: a check that never ends must not keep its connection open.
                work.pause();
            }
            InFlight::new(work, permit)
        });
        let time = match kind {
            Kind::Check => CHECK_TIME,
            Kind::Healthz | Kind::Call => body_time,
        };
        let mut routes = routes.clone();
        async move {
            let in_flight = match in_flight {
                Ok(in_flight) => in_flight,
                Err(refusal) => {
                    return Ok(refusal.map(|body| TrackedBody::untracked(Either::Right(body))));
                }
            };
            let (head, body) = request.into_parts();
            let (body, timed_out) = BodyTimeout::new(body, time);
            // A router is always ready.
            let response = routes.call(Request::from_parts(head, body)).await?;
            let replaced = timed_out.response(grpc, time);
            let replaced = replaced.or_else(|| panic::grpc_response(grpc, &response));
            let response = match replaced {
                Some(ours) => ours.map(Either::Right),
                None => response.map(Either::Left),
            };
            Ok(response.map(|body| TrackedBody::new(body, in_flight)))
        }
    })
}
