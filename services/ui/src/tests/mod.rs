//! The routes without a poller: nothing that is refused reaches one.

mod access;
mod follow;
mod routes;

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode},
    response::Response,
};
use brigade_client::{InboxClient, PollerClient};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use url::Url;

use crate::{Settings, access::Access, app::App, live::Live, routes::router};

const PORT: u16 = 8083;
const HOST: &str = "127.0.0.1:8083";

/// A page whose poller is not there.
struct Page {
    router: Router,
    key: String,
    token: String,
}

impl Page {
    fn new() -> Self {
        let nowhere = Url::parse("http://127.0.0.1:9").unwrap();
        let settings = Settings {
            inbox: InboxClient::new(&nowhere, None, None).unwrap(),
            poller: PollerClient::new(&nowhere, None, None).unwrap(),
            what: "a poller".into(),
            uploads: None,
            hosts: vec!["Shell.example:9000".into()],
        };
        let access = Access::new(PORT, &settings.hosts).unwrap();
        let (key, token) = (access.key().to_owned(), access.token().to_owned());
        let app = App::new(settings, access, Arc::new(Live::new()), CancellationToken::new());
        Self { router: router(app), key, token }
    }

    /// A request with these headers; a header without a value is not sent.
    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
        let request = Request::builder().method(method).uri(path);
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    async fn status(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> StatusCode {
        self.send(method, path, headers).await.status()
    }

    /// Opens the printed address, and returns the cookie.
    async fn cookie(&self) -> String {
        let path = format!("/open?key={}", self.key);
        let opened = self.send("GET", &path, &[("host", HOST)]).await;
        assert_eq!(opened.status(), StatusCode::SEE_OTHER);
        assert_eq!(opened.headers()["location"], "/", "the key is not in the address of the page");
        let cookie = opened.headers()["set-cookie"].to_str().unwrap();
        assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{cookie}");
        cookie.split(';').next().unwrap().to_owned()
    }
}

async fn text(response: Response) -> String {
    let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}
