//! The issuer's key server, on loopback: it counts, and it fails as told.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, LOCATION},
    },
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Notify};
use tokio_stream::StreamExt as _;
use url::Url;

use super::issuer::{ours, second};

/// What the server answers.
#[derive(Clone)]
pub(super) enum Answer {
    /// These keys, to be kept for five minutes.
    Keys(Vec<Value>),
    /// This body.
    Body(Vec<u8>),
    /// This status, with a page.
    Status(StatusCode),
    /// That the keys are elsewhere.
    Elsewhere(Url),
    /// These keys, once it is told.
    Late(Arc<Notify>, Vec<Value>),
    /// Nothing, ever.
    Nothing,
    /// The first bytes, and then nothing.
    Drip,
}

/// How long [`Answer::Keys`] may be kept.
pub(super) const MAX_AGE: Duration = Duration::from_mins(5);

#[derive(Clone)]
pub(super) struct KeyServer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    fetches: AtomicUsize,
    asked: Notify,
    answer: Mutex<Answer>,
}

impl KeyServer {
    /// A server that has both of the issuer's keys.
    pub(super) async fn start() -> Self {
        Self::answering(Answer::Keys(vec![ours().jwk(), second().jwk()])).await
    }

    pub(super) async fn answering(answer: Answer) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            fetches: AtomicUsize::new(0),
            asked: Notify::new(),
            answer: Mutex::new(answer),
        });
        let router = Router::new().fallback(respond).with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, shared }
    }

    pub(super) fn url(&self) -> Url {
        format!("http://{}/oauth2/v3/certs", self.address).parse().unwrap()
    }

    pub(super) fn answer(&self, answer: Answer) {
        *self.shared.answer.lock().unwrap() = answer;
    }

    /// How often it was asked.
    pub(super) fn fetches(&self) -> usize {
        self.shared.fetches.load(Ordering::SeqCst)
    }

    /// Waits until it is asked, and not for ever: a test in which it is not asked fails.
    pub(super) async fn asked(&self) {
        let asked = self.shared.asked.notified();
        let patience = Duration::from_secs(30);
        tokio::time::timeout(patience, asked).await.expect("the key server was not asked");
    }
}

async fn respond(State(shared): State<Arc<Shared>>) -> Response {
    shared.fetches.fetch_add(1, Ordering::SeqCst);
    shared.asked.notify_one();
    let answer = shared.answer.lock().unwrap().clone();
    match answer {
        Answer::Keys(keys) => {
            let control = format!("public, max-age={}", MAX_AGE.as_secs());
            ([(CACHE_CONTROL, control)], json!({ "keys": keys }).to_string()).into_response()
        }
        Answer::Body(body) => body.into_response(),
        Answer::Status(status) => (status, "<html>an error page</html>").into_response(),
        Answer::Elsewhere(url) => {
            (StatusCode::FOUND, [(LOCATION, url.to_string())]).into_response()
        }
        Answer::Late(told, keys) => {
            told.notified().await;
            json!({ "keys": keys }).to_string().into_response()
        }
        Answer::Nothing => std::future::pending().await,
        Answer::Drip => {
            let first =
                tokio_stream::once(Ok::<_, std::io::Error>(Bytes::from_static(b"{\"keys\":[")));
            Body::from_stream(first.chain(tokio_stream::pending())).into_response()
        }
    }
}

/// Lets time go by for timers, while sockets stay as they are.
pub(super) async fn later(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}
