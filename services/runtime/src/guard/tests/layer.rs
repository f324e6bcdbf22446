//! What the layer keeps of the service within.

use clap::ValueEnum as _;
use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use axum::{
    body::{Body, Bytes},
    http::{Request, Response},
};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use tower::{Layer as _, Service, service_fn};

use super::{Guarded, issuer::good};
use crate::{
    guard::{GuardLayer, Mode},
    telemetry::{Buffer, Format, subscriber},
};

#[test]
fn a_mode_is_known_by_its_name() {
    for (name, mode) in [("verify", Mode::Verify), ("platform", Mode::Platform), ("off", Mode::Off)]
    {
        assert_eq!(Mode::from_str(name, false), Ok(mode));
    }
    for name in ["", "Verify", "verify ", "on"] {
        assert!(Mode::from_str(name, false).is_err(), "{name:?}");
    }
}

/// Never ready for a call.
#[derive(Clone)]
struct Busy;

impl Service<Request<()>> for Busy {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Pending
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(Ok(Response::default()))
    }
}

#[tokio::test]
async fn a_service_that_is_not_ready_makes_its_callers_wait() {
    let guarded = Guarded::start().await;
    let mut service = GuardLayer::new(guarded.guard.clone()).layer(Busy);
    let mut context = Context::from_waker(std::task::Waker::noop());
    assert!(service.poll_ready(&mut context).is_pending());
}

/// The server lets a call's place go when its answer is whole, and HTTP says how long it is.
#[tokio::test]
async fn an_answer_keeps_its_length_and_its_end() {
    let logs = subscriber(Format::Human, "error", Buffer::default());
    let _logging = tracing::subscriber::set_default(logs);
    let guarded = Guarded::start().await;
    let inner = service_fn(async |_: Request<()>| {
        Ok::<_, Infallible>(Response::new(Body::from(Bytes::from_static(b"done"))))
    });
    let mut service = GuardLayer::new(guarded.guard.clone()).layer(inner);
    let request = Request::builder().header("authorization", format!("Bearer {}", good()));
    let response = service.call(request.body(()).unwrap()).await.unwrap();
    let mut body = response.into_body();
    assert_eq!(body.size_hint().exact(), Some(4));
    assert!(!body.is_end_stream());
    let frame = body.frame().await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "done");
    assert!(body.is_end_stream());
}
