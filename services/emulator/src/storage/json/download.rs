//! Downloads.

use std::{io, ops::Range};

use axum::body::Body;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use futures::stream;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use tokio::task::spawn_blocking;

use super::{Answer, Call, resource};
use brigade_model::{ByteRange, Content, Object, Refusal};

/// An object's content, or the part of it that the `Range` header asks for.
pub(super) async fn download(call: Call) -> Answer {
    if call.head.headers.contains_key("x-goog-encryption-key") {
        return Err(Refusal::unsupported("encryption with a customer-supplied key"));
    }
    let (generation, conditions) = (call.params.generation()?, call.params.conditions()?);
    let asked = range(&call.head.headers);
    let (object, part, content) = call
        .storage
        .run(move |model| {
            model.read(&call.at.bucket, &call.at.object, generation, &conditions, asked)
        })
        .await?;
    let length = part.end - part.start;
    let mut response = Response::new(body(content));
    let headers = response.headers_mut();
    describe(&object, headers);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    if asked.is_some() {
        insert(headers, "content-range", &content_range(&part, object.size));
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

/// A content as a body; of a file, one piece is in memory at a time.
fn body(content: Content) -> Body {
    let part = match content {
        Content::Bytes(content) => return Body::from(content),
        Content::File(part) => part,
    };
    Body::from_stream(stream::try_unfold(part, |mut part| async {
        let read = spawn_blocking(move || part.next_piece().map(|piece| (piece, part)));
        let (piece, part) = read.await.map_err(io::Error::from).flatten()?;
        Ok::<_, io::Error>(piece.map(|piece| (piece, part)))
    }))
}

fn content_range(part: &Range<u64>, size: u64) -> String {
    format!("bytes {}-{}/{size}", part.start, part.end.saturating_sub(1))
}

/// The header's one range; what is no such range is ignored, and the whole content is sent.
fn range(headers: &HeaderMap) -> Option<ByteRange> {
    let value = headers.get(header::RANGE)?.to_str().ok()?;
    let (first, last) = value.strip_prefix("bytes=")?.split_once('-')?;
    match (first, last) {
        ("", last) => last.parse().ok().map(ByteRange::Last),
        (first, "") => Some(ByteRange::From(first.parse().ok()?, None)),
        (first, last) => {
            let (first, last) = (first.parse().ok()?, last.parse().ok()?);
            (first <= last).then_some(ByteRange::From(first, Some(last)))
        }
    }
}

fn describe(object: &Object, headers: &mut HeaderMap) {
    let attributes = &object.attributes;
    let mut hash = format!("crc32c={}", resource::crc32c(object.crc32c));
    if let Some(md5) = object.md5 {
        hash = hash + ",md5=" + &BASE64_STANDARD.encode(md5);
    }
    let stored_encoding = match attributes.content_encoding.as_str() {
        "" => "identity",
        encoding => encoding,
    };
    let content_type = match attributes.content_type.as_str() {
        "" => "application/octet-stream",
        content_type => content_type,
    };
    insert(headers, "content-type", content_type);
    insert(headers, "accept-ranges", "bytes");
    insert(headers, "etag", &resource::etag(object));
    insert(headers, "x-goog-generation", &object.generation.to_string());
    insert(headers, "x-goog-metageneration", &object.metageneration.to_string());
    insert(headers, "x-goog-hash", &hash);
    insert(headers, "x-goog-storage-class", "STANDARD");
    insert(headers, "x-goog-stored-content-encoding", stored_encoding);
    insert(headers, "x-goog-stored-content-length", &object.size.to_string());
    for (name, value) in [
        ("content-encoding", &attributes.content_encoding),
        ("content-disposition", &attributes.content_disposition),
        ("content-language", &attributes.content_language),
        ("cache-control", &attributes.cache_control),
    ] {
        if !value.is_empty() {
            insert(headers, name, value);
        }
    }
}

/// Sets a header, unless the value cannot be one: attributes are any text.
fn insert(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(value: &'static str) -> Option<ByteRange> {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, HeaderValue::from_static(value));
        range(&headers)
    }

    #[test]
    fn one_range_is_honoured() {
        assert_eq!(parsed("bytes=2-5"), Some(ByteRange::From(2, Some(5))));
        assert_eq!(parsed("bytes=2-"), Some(ByteRange::From(2, None)));
        assert_eq!(parsed("bytes=-5"), Some(ByteRange::Last(5)));
    }

    #[test]
    fn what_is_no_range_is_ignored() {
        for value in ["bytes=5-2", "bytes=-", "bytes=a-b", "lines=1-2", "bytes=1-2,4-5", "bytes"] {
            assert_eq!(parsed(value), None, "{value}");
        }
    }
}
