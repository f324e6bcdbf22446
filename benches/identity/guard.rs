//! The guard on a token that it has verified already, around a service that answers at once.

use std::{convert::Infallible, time::Instant};

use axum::body::Body;
use brigade_runtime::guard::GuardLayer;
use http::{Request, Response};
use tokio::runtime::Runtime;
use tower::{Layer as _, Service, service_fn};

use crate::{
    Figure,
    google::{AUDIENCE, CALLER, Google, bearer},
    rounds::{Scale, nanos_each, paired},
};

pub(crate) fn figure(scale: &Scale, runtime: &Runtime, google: &Google) -> Figure {
    let guard = runtime.block_on(google.guard());
    let headers = bearer(&google.issuer().mint(CALLER, AUDIENCE));
    let bare =
        service_fn(async |_: Request<Body>| Ok::<_, Infallible>(Response::new(Body::empty())));
    let guarded = GuardLayer::new(guard).layer(bare);
    let request = || {
        let mut request = Request::new(Body::empty());
        *request.headers_mut() = headers.clone();
        request
    };
    let pair = paired(
        scale.rounds,
        || runtime.block_on(round(guarded.clone(), scale.calls, request)),
        || runtime.block_on(round(bare, scale.calls, request)),
    );
    let (with, without) = pair.medians();
    println!("guard, token verified before: {with:.0} ns a call, without it {without:.0} ns");
    let added = pair.difference() / 1_000.0;
    Figure {
        what: "the guard adds to a call whose token it knows",
        measured: format!("{added:.2} µs"),
        goal: "≤ 2 µs",
        met: added <= 2.0,
    }
}

/// Nanoseconds a call.
pub(crate) async fn round<S, B>(
    mut service: S,
    calls: usize,
    request: impl Fn() -> Request<B>,
) -> f64
where
    S: Service<Request<B>, Response = Response<Body>>,
    S::Error: std::fmt::Debug,
{
    let began = Instant::now();
    for _ in 0..calls {
        let response = service.call(request()).await.unwrap();
        assert!(response.status().is_success());
    }
    nanos_each(began.elapsed(), calls)
}
