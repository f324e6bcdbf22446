//! The layer before both APIs: it counts calls and injects faults.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{body::Body, extract::State, middleware::Next};
use bytes::Bytes;
use http::{Request, Response, header};
use http_body::Frame;
use http_body_util::BodyExt as _;

use super::{
    drain::drain,
    fault::Effect,
    grpc,
    handle::Storage,
    json::{error_response, is_chunk, is_media},
    operation::Operation,
};
use crate::serve::Hangup;
use brigade_model::Refusal;

/// Counts a call and injects its fault, if it has one.
pub(crate) async fn inject_faults(
    State((storage, operation)): State<(Storage, Option<Operation>)>,
    request: Request<Body>,
    next: Next,
) -> Response<Body> {
    let operation = match operation {
        Some(Operation::Get) if is_media(&request) => Operation::Read,
        Some(Operation::Insert) if is_chunk(&request) => Operation::Chunk,
        Some(operation) => operation,
        None => match grpc_operation(request.uri().path()) {
            Some(operation) => operation,
            None => return next.run(request).await,
        },
    };
    if operation == Operation::Token {
        if !crate::identity::is_token(request.uri().path()) {
            return next.run(request).await;
        }
    } else {
        storage.counters().count(operation);
    }
    match storage.meet(operation) {
        None => next.run(request).await,
        Some(Effect::Delay(by)) => {
            tokio::time::sleep(by).await;
            next.run(request).await
        }
        Some(Effect::Before(refusal)) => {
            let is_grpc = is_grpc(&request);
            drain(&mut request.into_body()).await;
            refused(is_grpc, &refusal)
        }
        Some(Effect::After(refusal)) => {
            let is_grpc = is_grpc(&request);
            let _ = next.run(request).await;
            refused(is_grpc, &refusal)
        }
        Some(Effect::Reset { applied }) => reset(request, next, applied).await,
        Some(Effect::Cut) => cut(next.run(request).await).await,
    }
}

/// Whether a request speaks gRPC.
pub(crate) fn is_grpc<B>(request: &Request<B>) -> bool {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

/// A refusal in the request's own API.
pub(crate) fn refused(is_grpc: bool, refusal: &Refusal) -> Response<Body> {
    if is_grpc { grpc::status(refusal).into_http() } else { error_response(refusal) }
}

async fn reset(request: Request<Body>, next: Next, applied: bool) -> Response<Body> {
    let hangup = request.extensions().get::<Hangup>().cloned().unwrap_or_default();
    if applied {
        let _ = next.run(request).await;
    }
    hangup.0.cancel();
    // The connection ends, and this call with it.
    std::future::pending().await
}

async fn cut(response: Response<Body>) -> Response<Body> {
    let (head, mut body) = response.into_parts();
    let first = body.frame().await.and_then(Result::ok).and_then(|frame| frame.into_data().ok());
    let first = first.unwrap_or_default();
    let half = first.slice(..first.len() / 2);
    Response::from_parts(head, Body::new(Broken::Piece(half)))
}

/// A body that breaks off after one piece.
enum Broken {
    Piece(Bytes),
    /// The piece is on its way: an error at once would overtake it.
    Pause,
    End,
}

impl http_body::Body for Broken {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match std::mem::replace(&mut *self, Self::End) {
            Self::Piece(piece) => {
                *self = Self::Pause;
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            Self::Pause => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Self::End => Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into()))),
        }
    }
}

fn grpc_operation(path: &str) -> Option<Operation> {
    Some(match path.strip_prefix("/google.storage.")?.rsplit_once('/')?.1 {
        "ListObjects" => Operation::List,
        "GetObject" => Operation::Get,
        "UpdateObject" => Operation::Update,
        "MoveObject" => Operation::Move,
        "RewriteObject" => Operation::Rewrite,
        "DeleteObject" => Operation::Delete,
        "GetBucket" | "GetIamPolicy" => Operation::GetBucket,
        "ListBuckets" => Operation::ListBuckets,
        "CreateBucket" => Operation::CreateBucket,
        "DeleteBucket" => Operation::DeleteBucket,
        _ => return None,
    })
}
