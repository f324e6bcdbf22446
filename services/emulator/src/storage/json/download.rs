//! Downloads.

use std::{
    io::{self, Write as _},
    ops::Range,
};

use axum::body::Body;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use futures::{StreamExt as _, stream};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use tokio::task::spawn_blocking;

use super::{Answer, Call, resource};
use brigade_model::{ByteRange, Content, Object};

/// An object's content, or the part of it that the `Range` header asks for.
pub(super) async fn download(call: Call) -> Answer {
    let (generation, conditions) = (call.params.generation()?, call.params.conditions()?);
    let asked = range(&call.head.headers);
    let takes_gzip = takes_gzip(&call.head.headers);
    let (object, part, content) = call
        .storage
        .run(move |model| {
            let (bucket, name) = (&call.at.bucket, &call.at.object);
            let object = model.get(bucket, name, generation, &conditions)?;
            let asked = asked.filter(|_| takes_gzip || !is_unpacked(&object));
            model.read(bucket, name, generation, &conditions, asked)
        })
        .await?;
    let length = part.end - part.start;
    let mut response = Response::new(body(content));
    let headers = response.headers_mut();
    describe(&object, headers);
    if !takes_gzip && is_unpacked(&object) {
        headers.remove(header::CONTENT_ENCODING);
        headers.remove(header::ACCEPT_RANGES);
        insert(headers, "vary", "Accept-Encoding");
        insert(headers, "warning", "214 UploadServer gunzipped");
        insert(headers, "x-guploader-response-body-transformations", "gunzipped");
        return Ok(response.map(gunzip));
    }
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    if asked.is_some() {
        headers.remove("x-goog-hash");
        insert(headers, "content-range", &content_range(&part, object.size));
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

/// Whether an object is unpacked for clients that do not take gzip.
///
/// Source: <https://cloud.google.com/storage/docs/transcoding>.
fn is_unpacked(object: &Object) -> bool {
    let attributes = &object.attributes;
    attributes.content_encoding == "gzip" && !attributes.cache_control.contains("no-transform")
}

/// Whether a client takes gzip. A weight of 0 means that it does not: RFC 9110, 12.5.3 and 12.4.2.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter();
    let mut codings = values.filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(','));
    codings.any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().to_ascii_lowercase();
        let refused =
            weight.strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()).is_some_and(|q| q <= 0.0);
        name.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}

/// Unpacks a body while it is sent. One that is not in gzip breaks off.
fn gunzip(body: Body) -> Body {
    let begin = (body.into_data_stream(), Some(MultiGzDecoder::new(Vec::new())));
    Body::from_stream(stream::try_unfold(begin, |(mut packed, decoder)| async {
        let Some(mut decoder) = decoder else {
            return Ok(None);
        };
        let Some(piece) = packed.next().await else {
            let last = Bytes::from(decoder.finish()?);
            return Ok(Some((last, (packed, None))));
        };
        decoder.write_all(&piece.map_err(io::Error::other)?)?;
        let unpacked = Bytes::from(std::mem::take(decoder.get_mut()));
        Ok::<_, io::Error>(Some((unpacked, (packed, Some(decoder)))))
    }))
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
    let encoding = attributes.content_encoding.as_str();
    let (stored_encoding, encoding) = match encoding {
        "" | "identity" => ("identity", ""),
        encoding => (encoding, encoding),
    };
    let class = match attributes.storage_class.as_str() {
        "" => "STANDARD",
        class => class,
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
    insert(headers, "x-goog-storage-class", class);
    insert(headers, "x-goog-stored-content-encoding", stored_encoding);
    insert(headers, "x-goog-stored-content-length", &object.size.to_string());
    for (name, value) in [
        ("content-encoding", encoding),
        ("content-disposition", attributes.content_disposition.as_str()),
        ("content-language", attributes.content_language.as_str()),
        ("cache-control", attributes.cache_control.as_str()),
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
    fn a_coding_of_weight_0_is_not_taken() {
        let takes = |value| takes_gzip(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, value)]));
        for value in ["gzip", "GZIP", "br, gzip", "gzip;q=1", "gzip ; q=0.001", "br;q=0, gzip"] {
            assert!(takes(HeaderValue::from_static(value)), "{value}");
        }
        for value in ["", "br", "gzip;q=0", "gzip; q=0.000", "gzip;Q=0", "br, gzip;q=0", "gzipped"]
        {
            assert!(!takes(HeaderValue::from_static(value)), "{value}");
        }
    }

    #[test]
    fn what_is_no_range_is_ignored() {
        for value in ["bytes=5-2", "bytes=-", "bytes=a-b", "lines=1-2", "bytes=1-2,4-5", "bytes"] {
            assert_eq!(parsed(value), None, "{value}");
        }
    }
}
