//! Connections through the proxy that the environment names. tonic has none of its own.

use http::Uri;
use hyper_util::client::{
    legacy::connect::{HttpConnector, proxy::Tunnel},
    proxy::matcher::{Intercept, Matcher},
};
use tonic::transport::{Channel, Endpoint};
use url::Url;

use super::{CONNECT_TIMEOUT, TCP_KEEPALIVE};
use crate::identity::{is_direct, origin};

/// The proxy that `HTTPS_PROXY` or `ALL_PROXY` names for calls to `url`, without its password. There is none for this machine,
/// for plain HTTP, and for hosts in `NO_PROXY`.
pub fn proxy_of(url: &Url) -> Option<String> {
    let proxy = proxy(url, &Matcher::from_env())?;
    Some(proxy.uri().authority()?.to_string())
}

pub(super) fn proxy(url: &Url, matcher: &Matcher) -> Option<Intercept> {
    let uri: Uri = origin(url).parse().ok()?;
    if is_direct(url) { None } else { matcher.intercept(&uri) }
}

/// A channel that connects at its first call, through a tunnel (HTTP CONNECT) if there is a proxy. TLS is between this client and the
/// service: the proxy sees the host's name alone.
pub(super) fn channel(endpoint: &Endpoint, proxy: Option<&Intercept>) -> Channel {
    let Some(proxy) = proxy else { return endpoint.connect_lazy() };
    let mut direct = HttpConnector::new();
    direct.set_nodelay(true);
    direct.set_keepalive(Some(TCP_KEEPALIVE));
    direct.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let mut tunnel = Tunnel::new(proxy.uri().clone(), direct);
    if let Some(auth) = proxy.basic_auth() {
        tunnel = tunnel.with_auth(auth.clone());
    }
    endpoint.connect_with_connector_lazy(tunnel)
}

#[cfg(test)]
mod tests {
    use brigade_proto::v1::{ProcessRequest, worker_service_client::WorkerServiceClient};
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;
    use crate::connect::endpoint;

    fn matcher() -> Matcher {
        let all = Matcher::builder().all("http://user:secret@127.0.0.1:9");
        all.no("internal.example, 10.0.0.0/8").build()
    }

    #[test]
    fn https_goes_through_the_proxy_but_for_this_machine_and_for_what_no_proxy_names() {
        for (url, expected) in [
            ("https://worker.example", true),
            ("https://worker.example:8443", true),
            ("https://worker.internal.example", false),
            ("https://10.1.2.3", false),
            ("https://localhost:1", false),
            ("https://127.0.0.2:1", false),
            ("https://[::1]:1", false),
            ("http://worker.example", false),
            ("http://127.0.0.1:1", false),
        ] {
            let proxy = proxy(&url.parse().unwrap(), &matcher());
            assert_eq!(proxy.is_some(), expected, "{url}");
        }
    }

    /// A proxy that answers CONNECT with `status`: what it was sent, what came then, and the client's error.
    async fn through(status: &str) -> (String, Option<u8>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = format!("http://user:secret@{}", listener.local_addr().unwrap());
        let url = "https://worker.example".parse().unwrap();
        let proxy = proxy(&url, &Matcher::builder().https(at).build());
        let mut client =
            WorkerServiceClient::new(channel(&endpoint(&url).unwrap(), proxy.as_ref()));
        let call = tokio::spawn(async move { client.process(ProcessRequest::default()).await });
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes()).await.unwrap();
        let next = stream.read_u8().await.ok();
        drop(stream);
        let error = call.await.unwrap().unwrap_err();
        (String::from_utf8(head).unwrap(), next, crate::answer::chain(&error))
    }

    #[tokio::test]
    async fn a_tunnel_is_asked_for_by_name_and_tls_begins_inside_it() {
        let (head, next, _) = through("200 OK").await;
        assert!(head.starts_with("CONNECT worker.example:443 HTTP/1.1\r\n"), "{head}");
        assert!(head.to_ascii_lowercase().contains("proxy-authorization: basic dxnlcjpzzwnyzxq="));
        // The first byte of a TLS handshake.
        assert_eq!(next, Some(0x16));
    }

    #[tokio::test]
    async fn a_proxy_that_refuses_says_so() {
        for (status, why) in
            [("407 No", "proxy authorization required"), ("502 Bad Gateway", "unsuccessful")]
        {
            let (_, next, error) = through(status).await;
            assert_eq!(next, None);
            assert!(error.contains(why), "{error}");
        }
    }
}
