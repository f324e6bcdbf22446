//! Connections without sockets: paused time advances as soon as every task is idle, and bytes that are still in a socket wake no
//! task.

use axum::http::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{DuplexStream, ReadHalf, WriteHalf, duplex, split},
    time::Instant,
};
use tonic::transport::{Channel, Endpoint};
use tower::{Service as _, service_fn};

use super::{
    wire::{ACK, Frame, GOAWAY, PING, Peer, frame},
    *,
};

pub(super) type Piped = Peer<ReadHalf<DuplexStream>, WriteHalf<DuplexStream>>;

/// The ping that h2 sends with a graceful goodbye.
const GOODBYE: [u8; 8] = [0x0b, 0x7b, 0xa2, 0xf0, 0x8b, 0x9b, 0xfe, 0x54];

/// Longer than anything here takes. It costs nothing while time is paused.
const LONG: Duration = Duration::from_hours(3);

/// A server whose connections are pipes.
#[derive(Clone)]
pub(super) struct Server {
    connections: Arc<Connections>,
    opened: Arc<AtomicUsize>,
}

// === impl Server ===

impl Server {
    pub(super) fn new(router: Router, limits: Limits) -> Self {
        Self { connections: Arc::new(Connections::new(router, limits)), opened: Arc::default() }
    }

    /// A connection, and the task that serves it.
    pub(super) fn open(&self) -> (DuplexStream, JoinHandle<()>) {
        self.opened.fetch_add(1, Ordering::SeqCst);
        let (client, server) = duplex(64 * 1024);
        (client, tokio::spawn(self.connections.drive(server)))
    }

    /// How many connections there were.
    pub(super) fn opened(&self) -> usize {
        self.opened.load(Ordering::SeqCst)
    }

    /// A client by hand, which begins with these settings.
    pub(super) async fn peer(&self, settings: &[u8]) -> (Piped, JoinHandle<()>) {
        let (client, served) = self.open();
        let (read, write) = split(client);
        let peer = Peer::greet(read, write, settings).await.unwrap();
        (peer, served)
    }

    /// tonic's client, which connects when it has to.
    pub(super) fn channel(&self) -> Channel {
        let server = self.clone();
        let connector = service_fn(move |_| {
            let (client, _) = server.open();
            async move { Ok::<_, io::Error>(TokioIo::new(client)) }
        });
        Endpoint::from_static("http://pipe").connect_with_connector_lazy(connector)
    }
}

/// One call, and nothing of gRPC that is not in it.
pub(super) async fn call(channel: &Channel, path: &str, grpc: bool, body: Body) -> Response<()> {
    let mut request = Request::post(format!("http://pipe{path}"));
    if grpc {
        request = request.header("content-type", "application/grpc");
    }
    let request = request.body(tonic::body::Body::new(body)).unwrap();
    let mut channel = channel.clone();
    std::future::poll_fn(|context| channel.poll_ready(context)).await.unwrap();
    let answer = timeout(LONG, channel.call(request)).await;
    answer.expect("an answer").unwrap().map(drop)
}

/// What came until the connection was closed, and how long that took. Pings are answered, but for that of the goodbye when
/// it is not to be.
pub(super) async fn stays(mut peer: Piped, parts: bool) -> (Vec<Frame>, Duration) {
    let began = Instant::now();
    let mut frames = Vec::new();
    while let Some(came) = timeout(LONG, peer.next()).await.expect("an end") {
        let answered = parts || came.payload != GOODBYE;
        if came.kind == PING && came.flags != ACK && answered {
            peer.send(&frame(PING, ACK, 0, &came.payload)).await;
        }
        frames.push(came);
    }
    (frames, began.elapsed())
}

/// Whether the server has said goodbye.
pub(super) fn was_told(frames: &[Frame]) -> bool {
    frames.iter().any(|frame| frame.kind == GOAWAY)
}
