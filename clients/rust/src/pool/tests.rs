//! Which connection a call gets.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::Pin,
    sync::atomic::{AtomicUsize, Ordering},
};

use http_body::Body as _;
use tonic::body::Body;

use super::*;

/// Answers at once, with its number.
#[derive(Clone)]
struct Numbered(usize);

impl Service<Request<Body>> for Numbered {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(self.0);
        ready(Ok(response))
    }
}

fn pool() -> Pool<Numbered> {
    let made = AtomicUsize::new(0);
    Pool::new(move || Numbered(made.fetch_add(1, Ordering::SeqCst)))
}

async fn call(pool: &Pool<Numbered>) -> Response<TrackedBody<Body>> {
    let Ok(response) = pool.clone().oneshot(Request::new(Body::empty())).await;
    response
}

fn number(response: &Response<TrackedBody<Body>>) -> usize {
    *response.extensions().get::<usize>().unwrap()
}

#[tokio::test]
async fn calls_one_after_the_other_share_one_connection() {
    let pool = pool();
    for _ in 0..3 * MAX_STREAMS {
        assert_eq!(number(&call(&pool).await), 0);
    }
}

#[tokio::test]
async fn no_connection_has_more_than_its_share_and_the_emptiest_is_next() {
    let pool = pool();
    let mut open = Vec::new();
    for _ in 0..3 * MAX_STREAMS {
        open.push(call(&pool).await);
    }
    for connection in 0..3 {
        let share = open.iter().filter(|answer| number(answer) == connection).count();
        assert_eq!(share, MAX_STREAMS);
    }
    open.retain(|answer| number(answer) != 1);
    assert_eq!(number(&call(&pool).await), 1, "the emptiest");
    assert_eq!(pool.0.connections.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn a_call_is_over_with_its_body_or_when_it_is_given_up() {
    let pool = pool();
    let calls = || pool.0.connections.lock().unwrap()[0].calls();
    let given_up = pool.clone().call(Request::new(Body::empty()));
    let mut read = call(&pool).await;
    assert_eq!(calls(), 2);
    drop(given_up);
    assert_eq!(calls(), 1);
    let body = Pin::new(read.body_mut());
    let end = std::future::poll_fn({
        let mut body = body;
        move |context| body.as_mut().poll_frame(context)
    });
    assert!(end.await.is_none());
    assert_eq!(calls(), 0, "its answer is kept, and has ended");
}
