//! Calls over HTTP/2, whose bodies need not end, and what they are answered.

use std::net::SocketAddr;

use axum::{
    body::Bytes,
    http::{HeaderMap, Request, Response, StatusCode},
};
use h2::{RecvStream, SendStream, client::SendRequest};
use tokio::net::TcpStream;

/// A connection, and all that was begun on it. Dropped, it ends.
pub(crate) struct Caller {
    client: SendRequest<Bytes>,
    begun: Vec<SendStream<Bytes>>,
}

/// What a call is answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    headers: HeaderMap,
    trailers: HeaderMap,
}

// === impl Caller ===

impl Caller {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (client, connection) = h2::client::handshake(stream).await.unwrap();
        // It ends with its last call.
        tokio::spawn(async move { drop(connection.await) });
        Self { client, begun: Vec::new() }
    }

    /// Begins a call, sends this of its body, and returns what will be answered.
    pub(crate) async fn begin(
        &mut self,
        path: &str,
        fields: &[(&str, &str)],
        body: Bytes,
        whole: bool,
    ) -> impl Future<Output = Answer> + use<> {
        self.client = self.client.clone().ready().await.unwrap();
        let mut request = Request::post(format!("http://x{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.body(()).unwrap();
        let (answer, mut sending) = self.client.send_request(request, false).unwrap();
        // A service that answers before it has read is right.
        let _ = sending.send_data(body, whole);
        self.begun.push(sending);
        async move { Answer::read(answer.await.unwrap()).await }
    }
}

// === impl Answer ===

impl Answer {
    async fn read(answer: Response<RecvStream>) -> Self {
        let (head, mut body) = answer.into_parts();
        while let Some(Ok(data)) = body.data().await {
            body.flow_control().release_capacity(data.len()).unwrap();
        }
        let trailers = body.trailers().await.ok().flatten();
        Self { status: head.status, headers: head.headers, trailers: trailers.unwrap_or_default() }
    }

    /// gRPC's status, wherever it stands.
    pub(crate) fn grpc_status(&self) -> &str {
        let status = self.headers.get("grpc-status");
        let status = status.or_else(|| self.trailers.get("grpc-status"));
        status.map_or("none", |status| status.to_str().unwrap())
    }
}
