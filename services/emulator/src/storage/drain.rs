//! Bodies that are of no use any more.

use axum::body::Body;
use http_body_util::BodyExt as _;

/// Takes what is left of a body. A client that is still sending would see a broken connection instead of a refusal.
pub(super) async fn drain(body: &mut Body) {
    while let Some(Ok(_)) = body.frame().await {}
}
