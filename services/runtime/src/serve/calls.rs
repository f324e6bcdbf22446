//! The calls of one connection: each is admitted, answered, and counted until its answer was sent.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    BoxError, Router,
    body::{Body, Bytes},
    http::{Request, Response},
};
use http_body_util::Either;
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tower::Service as _;
use tower_http::body::UnsyncBoxBody;

use super::{
    activity::{Activity, Work},
    arriving::{Arriving, Late},
    panic::{self, Caught},
    sending::{Held, Sending},
    shed::Room,
};
use crate::{
    app::is_grpc,
    health::{CHECK_TIME, Kind, kind},
};

pub(super) type Routes = Caught<Router>;
type Called = <Routes as tower::Service<Request<Arriving>>>::Future;

/// What serves the calls of one connection.
///
/// A service around the whole router, and no layer of it: those put every route into a box of its own.
pub(super) struct Calls {
    routes: Routes,
    room: Room,
    activity: Arc<Activity>,
    body_time: Duration,
}

pin_project! {
    /// A call on its way to its answer.
    #[project = AnsweringProjection]
    pub(super) enum Answering {
        Refused { response: Option<Response<Body>> },
        Called { #[pin] called: Called, call: Option<Call> },
    }
}

/// What is known of a call while it is answered.
pub(super) struct Call {
    grpc: bool,
    time: Duration,
    late: Late,
    held: Held,
}

// === impl Calls ===

impl Calls {
    pub(super) fn new(
        routes: Routes,
        room: Room,
        activity: Arc<Activity>,
        body_time: Duration,
    ) -> Self {
        Self {
            routes,
            room,
            activity,
            body_time,
        }
    }
}

impl hyper::service::Service<Request<Incoming>> for Calls {
    type Response = Response<Sending>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        let kind = kind(request.uri().path());
        let grpc = is_grpc(request.headers());
        let place = match self.room.admit(kind, grpc) {
            Ok(place) => place,
            Err(refusal) => {
                let response = Some(refusal);
                return Answering::Refused { response };
            }
        };
        let time = match kind {
            Kind::Check => CHECK_TIME,
            Kind::Healthz | Kind::Call => self.body_time,
        };
        let late = Late::of(request.body());
        let request = request.map(|body| Arriving::new(body, time, late.clone()));
        let mut work = Work::begin(self.activity.clone());
        if kind != Kind::Call {
            // Health is no work, and who keeps a check waiting keeps no connection by it.
            work.pause();
        }
        let held = Held::new(work, place);
        // A router is always ready.
        let called = self.routes.clone().call(request);
        let call = Some(Call {
            grpc,
            time,
            late,
            held,
        });
        Answering::Called { called, call }
    }
}

// === impl Answering ===

impl Future for Answering {
    type Output = Result<Response<Sending>, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let response = match self.project() {
            AnsweringProjection::Refused { response } => {
                let refusal = response.take().expect("polled after its end");
                refusal.map(|body| Sending::free(Either::Right(body)))
            }
            AnsweringProjection::Called { called, call } => {
                let response = ready!(called.poll(context))?;
                call.take().expect("polled after its end").answer(response)
            }
        };
        Poll::Ready(Ok(response))
    }
}

// === impl Call ===

impl Call {
    fn answer(self, response: Response<UnsyncBoxBody<Bytes, BoxError>>) -> Response<Sending> {
        let ours = self
            .late
            .answer(self.grpc, self.time)
            .or_else(|| panic::answer(self.grpc, &response));
        let response = match ours {
            Some(ours) => ours.map(Either::Right),
            None => response.map(Either::Left),
        };
        response.map(|body| Sending::new(body, self.held))
    }
}
