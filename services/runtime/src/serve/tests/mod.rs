//! Over real sockets, with clients that are not ours; over pipes where time is paused.

mod binding;
mod bodies;
mod checks;
mod drain;
mod floods;
mod idle;
mod limits;
mod messages;
mod paths;
mod pipe;
mod rfc9113;
mod serving;
mod shutdown;
mod spans;
mod wire;

use std::{
    future::pending,
    net::{Ipv4Addr, SocketAddr},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use axum::{body::Body, http::Version, response::IntoResponse as _, routing::get};
use reqwest::{Client, StatusCode};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::tcp::OwnedWriteHalf,
    sync::Notify,
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use tokio::net::TcpStream;

use super::*;

/// Longer than anything here takes on a busy machine, so that a test that hangs fails; and less than the 50 s after which an idle
/// connection ends anyway.
const PATIENCE: Duration = Duration::from_secs(45);

struct Running {
    address: SocketAddr,
    stop: CancellationToken,
    served: JoinHandle<()>,
}

impl Running {
    async fn start(router: Router, limits: Limits) -> Self {
        let listener = bind(any_port()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let told = stop.clone().cancelled_owned();
        let served = tokio::spawn(serve(listener, router, limits, told));
        Self { address, stop, served }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn stopped(self) {
        timeout(PATIENCE, self.served).await.expect("serve ends").unwrap();
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

fn any_port() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

fn http1() -> Client {
    Client::builder().no_proxy().http1_only().timeout(PATIENCE).build().unwrap()
}

fn http2() -> Client {
    Client::builder().no_proxy().http2_prior_knowledge().timeout(PATIENCE).build().unwrap()
}

fn hello() -> Router {
    hello_alone().merge(health())
}

fn hello_alone() -> Router {
    Router::new().route("/", get(async || "hello"))
}

fn health() -> Router {
    Router::new().route("/health", get(async || "ok\n"))
}

/// A handler that says when it was called, and answers when it is told to.
#[derive(Clone, Default)]
struct Gate {
    called: Arc<Notify>,
    open: Arc<Notify>,
    dropped: Arc<AtomicUsize>,
}

impl Gate {
    fn router(&self) -> Router {
        let gate = self.clone();
        let handler = move || {
            let gate = gate.clone();
            async move {
                let _counted = Counted(gate.dropped.clone());
                gate.called.notify_one();
                gate.open.notified().await;
                "done"
            }
        };
        Router::new().route("/wait", get(handler)).merge(hello())
    }
}

struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}
