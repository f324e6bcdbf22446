//! A caller's request as the container gets it.

use axum::body::Body;
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Version,
    header::{CONNECTION, HOST, TRANSFER_ENCODING, UPGRADE},
    uri::{Authority, PathAndQuery, Scheme, Uri},
};

use super::gate::authority;
use crate::serve::Peer;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const TRACE: HeaderName = HeaderName::from_static("x-cloud-trace-context");

/// The same request in this version of HTTP, with what Google's front end adds.
pub(super) fn forward(mut request: Request<Body>, version: Version) -> Request<Body> {
    let mut uri = uri(&request);
    let peer = request.extensions().get::<Peer>().copied();
    if request.version() != Version::HTTP_2 {
        remove_connection_headers(request.headers_mut());
    }
    let headers = request.headers_mut();
    headers.remove(HOST);
    if version != Version::HTTP_2 {
        uri = in_origin_form(uri, headers);
    }
    if let Some(Peer(peer)) = peer {
        append(headers, &peer.ip().to_string());
    }
    headers.insert(FORWARDED_PROTO, HeaderValue::from_static("http"));
    if !headers.contains_key(TRACE)
        && let Ok(value) = HeaderValue::try_from(trace())
    {
        headers.insert(TRACE, value);
    }
    let (mut head, body) = request.into_parts();
    head.uri = uri;
    head.version = version;
    // What this server keeps there is not the container's.
    head.extensions.clear();
    Request::from_parts(head, body)
}

/// The container sees the host that the caller meant.
fn uri(request: &Request<Body>) -> Uri {
    let authority = authority(request).and_then(|host| host.parse::<Authority>().ok());
    let mut parts = request.uri().clone().into_parts();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = authority;
    parts.path_and_query = parts.path_and_query.or(Some(PathAndQuery::from_static("/")));
    Uri::from_parts(parts).unwrap_or_else(|_| request.uri().clone())
}

/// HTTP/1.1 has the host in a header of its own, and the path alone in its first line.
fn in_origin_form(uri: Uri, headers: &mut HeaderMap) -> Uri {
    if let Some(authority) = uri.authority()
        && let Ok(host) = HeaderValue::try_from(authority.as_str())
    {
        headers.insert(HOST, host);
    }
    uri.path_and_query().cloned().map_or(uri, Uri::from)
}

/// They are about one connection, this side's or the other's, and HTTP/2 has none of them.
pub(super) fn remove_connection_headers(headers: &mut HeaderMap) {
    let listed: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in listed {
        headers.remove(name);
    }
    for name in [CONNECTION, TRANSFER_ENCODING, UPGRADE] {
        headers.remove(name);
    }
    for name in ["keep-alive", "proxy-connection"] {
        headers.remove(name);
    }
}

/// Whom a caller claims to speak for stays in front of its own address.
fn append(headers: &mut HeaderMap, peer: &str) {
    let claimed = headers.get_all(FORWARDED_FOR).iter();
    let mut all: Vec<&str> = claimed.filter_map(|value| value.to_str().ok()).collect();
    all.push(peer);
    if let Ok(value) = HeaderValue::try_from(all.join(",")) {
        headers.insert(FORWARDED_FOR, value);
    }
}

/// `TRACE_ID/SPAN_ID;o=TRACED`: 32 hex digits and a number.
fn trace() -> String {
    let (mut id, mut span) = ([0; 16], [0; 8]);
    // Without random numbers all calls have one trace, which spoils nothing but the logs.
    let _ = aws_lc_rs::rand::fill(&mut id).and_then(|()| aws_lc_rs::rand::fill(&mut span));
    let (id, span) = (u128::from_be_bytes(id), u64::from_be_bytes(span));
    format!("{id:032x}/{span};o=0")
}
