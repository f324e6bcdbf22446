//! Over real sockets: a caller, the front end, and a container that keeps what it heard.

mod admission;
mod container;
mod faults;
mod passing;
mod refusals;

use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};

use self::container::{Container, container};
use super::{FrontEnd, Service};
use crate::Emulator;

const POLLER: &str = "poller@brigade-dev.iam.gserviceaccount.com";
const STRANGER: &str = "stranger@brigade-dev.iam.gserviceaccount.com";

/// The parts of one test.
struct Shape {
    google: Emulator,
    front: FrontEnd,
    container: Container,
}

/// A service that the poller may call.
async fn private() -> Shape {
    shape(|service| service.invoker(POLLER)).await
}

async fn shape(service: impl FnOnce(Service) -> Service) -> Shape {
    let google = Emulator::builder()
        .bucket("some-bucket")
        .service_account(POLLER)
        .service_account(STRANGER)
        .start(loopback().await)
        .await
        .unwrap();
    let container = container().await;
    let service = service(Service::new("worker", container.address));
    let front = google.front_end(loopback().await, &service).unwrap();
    Shape { google, front, container }
}

async fn loopback() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

impl Shape {
    fn origin(&self) -> String {
        self.front.url().as_str().trim_end_matches('/').to_owned()
    }

    /// `Bearer` and the token of an account for this service.
    fn bearer(&self, account: &str) -> String {
        let token = self.google.identity().mint(account, &self.origin());
        format!("Bearer {token}")
    }

    /// A GET over HTTP/1.1 with these headers.
    async fn get(&self, headers: &[(&str, &str)]) -> reqwest::Response {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = self.front.url().join("some/path?x=1").unwrap();
        let mut request = http.get(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    /// A GET that is let in; what the container heard of it.
    async fn heard(&self, headers: &[(&str, &str)]) -> HeaderMap {
        assert_eq!(self.get(headers).await.status(), StatusCode::OK);
        self.container.heard().unwrap().headers
    }

    /// A call over h2c with the poller's token.
    async fn call(
        &self,
        body: impl Into<bytes::Bytes>,
    ) -> Result<Response<Incoming>, hyper::Error> {
        self.send(Full::new(body.into())).await
    }

    async fn send<B>(&self, body: B) -> Result<Response<Incoming>, hyper::Error>
    where
        B: http_body::Body<
                Data = bytes::Bytes,
                Error: Into<Box<dyn std::error::Error + Send + Sync>>,
            > + Send
            + Unpin
            + 'static,
    {
        let address = self.front.url().socket_addrs(|| None).unwrap()[0];
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .unwrap();
        tokio::spawn(connection);
        let request = Request::post(self.front.url().join("some.Service/Call").unwrap().as_str())
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("authorization", self.bearer(POLLER))
            .body(body)
            .unwrap();
        sender.send_request(request).await
    }
}

/// Data and trailers, or how the body broke.
async fn whole(response: Response<Incoming>) -> Result<(bytes::Bytes, HeaderMap), hyper::Error> {
    let collected = response.into_body().collect().await?;
    let trailers = collected.trailers().cloned().unwrap_or_default();
    Ok((collected.to_bytes(), trailers))
}
