//! The attach layer with a token at hand, around a service that answers at once.

use std::{convert::Infallible, sync::Arc};

use axum::body::Body;
use brigade_client::identity::{Cached, attach::AttachLayer};
use http::{Request, Response};
use tokio::runtime::Runtime;
use tower::{Layer as _, service_fn};

use crate::{
    Figure,
    google::{AUDIENCE, Google},
    guard::round,
    rounds::{Scale, paired},
};

pub(crate) fn figure(scale: &Scale, runtime: &Runtime, google: &Google) -> Figure {
    let bare =
        service_fn(async |_: Request<Body>| Ok::<_, Infallible>(Response::new(Body::empty())));
    let source = Arc::new(Cached::new(google.metadata()));
    let attached = AttachLayer::new(source, &AUDIENCE.parse().unwrap(), None).unwrap().layer(bare);
    // The uncounted first round fetches the token.
    let request = || Request::new(Body::empty());
    let pair = paired(
        scale.rounds,
        || runtime.block_on(round(attached.clone(), scale.calls, request)),
        || runtime.block_on(round(bare, scale.calls, request)),
    );
    let (with, without) = pair.medians();
    println!("attach, token at hand: {with:.0} ns a call, without it {without:.0} ns");
    let added = pair.difference() / 1_000.0;
    Figure {
        what: "attaching a token that is at hand adds to a call",
        measured: format!("{added:.2} µs"),
        goal: "≤ 1 µs",
        met: added <= 1.0,
    }
}
