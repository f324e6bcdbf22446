//! `multipart/related` bodies: the resource, the media and, from some clients, checksums behind it.

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::storage::json::body::body_object;
use brigade_model::{Refusal, Result};

/// A body's parts.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) resource: Map<String, Value>,
    /// Content-Type of the media's part; empty for none.
    pub(super) media_type: String,
    pub(super) media: Bytes,
    pub(super) checksums: Map<String, Value>,
}

/// One part: what its headers say it is, and its content.
struct Part {
    content_type: String,
    content: Bytes,
}

/// Takes a body apart.
pub(super) fn read(content_type: &str, body: &Bytes) -> Result<Parts> {
    let boundary = boundary(content_type).ok_or_else(|| {
        Refusal::invalid("A multipart upload needs a Content-Type with a boundary.")
    })?;
    let mut parts = split(&boundary, body)?.into_iter();
    let (Some(resource), Some(media)) = (parts.next(), parts.next()) else {
        return Err(Refusal::invalid("A multipart upload needs a resource and a media part."));
    };
    let checksums =
        parts.next().map_or_else(|| Ok(Map::new()), |part| body_object(&part.content))?;
    Ok(Parts {
        resource: body_object(&resource.content)?,
        media_type: media.content_type,
        media: media.content,
        checksums,
    })
}

fn boundary(content_type: &str) -> Option<String> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().to_ascii_lowercase().starts_with("multipart/") {
        return None;
    }
    parameters.split(';').find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        let found = key.trim().eq_ignore_ascii_case("boundary") && !value.is_empty();
        found.then(|| value.to_owned())
    })
}

/// The parts between the delimiters. What is before the first one and behind the last one is no part.
fn split(boundary: &str, body: &Bytes) -> Result<Vec<Part>> {
    let broken = || Refusal::invalid("The multipart body is broken: a boundary is missing.");
    let delimiter = format!("\r\n--{boundary}");
    let first = &delimiter[2..];
    let mut at = if body.starts_with(first.as_bytes()) {
        first.len()
    } else {
        find(body, delimiter.as_bytes()).ok_or_else(broken)? + delimiter.len()
    };
    let mut parts = Vec::new();
    while !body[at..].starts_with(b"--") {
        let line = find(&body[at..], b"\r\n").ok_or_else(broken)?;
        // The line's end may be the end of empty headers as well, so it is kept.
        let begin = at + line;
        let end = begin + find(&body[begin + 2..], delimiter.as_bytes()).ok_or_else(broken)? + 2;
        parts.push(part(&body.slice(begin..end))?);
        at = end + delimiter.len();
    }
    Ok(parts)
}

/// Headers, an empty line, content.
fn part(bytes: &Bytes) -> Result<Part> {
    let end = find(bytes, b"\r\n\r\n").ok_or_else(|| {
        Refusal::invalid(
            "The multipart body is broken: a part has no empty line after its headers.",
        )
    })?;
    let headers = String::from_utf8_lossy(&bytes[..end]);
    let content_type = headers.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-type").then(|| value.trim().to_owned())
    });
    Ok(Part { content_type: content_type.unwrap_or_default(), content: bytes.slice(end + 4..) })
}

/// Where `needle`, which begins with a carriage return, is.
fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + haystack[from..].iter().position(|&byte| byte == b'\r')?;
        if haystack[at..].starts_with(needle) {
            return Some(at);
        }
        from = at + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "multipart/related; boundary=\"b1\"";

    fn parsed(body: &str) -> Result<Parts> {
        read(TYPE, &Bytes::copy_from_slice(body.as_bytes()))
    }

    #[test]
    fn a_resource_and_a_media_part_are_split() {
        let parts = parsed(
            "--b1\r\nContent-Type: application/json\r\n\r\n{\"name\":\"n\"}\r\n\
             --b1\r\ncontent-type: text/csv\r\n\r\nday\r\n--b\r\n\r\n1\r\n--b1--\r\n",
        )
        .unwrap();
        assert_eq!(parts.resource["name"], "n");
        assert_eq!(parts.media_type, "text/csv");
        assert_eq!(parts.media, "day\r\n--b\r\n\r\n1");
        assert!(parts.checksums.is_empty());
    }

    #[test]
    fn parts_without_headers_and_without_content_are_parts() {
        let parts = parsed(
            "--b1\r\n\r\n{}\r\n--b1\r\n\r\n\r\n--b1\r\n\r\n{\"crc32c\":\"AAAAAA==\"}\r\n--b1--",
        )
        .unwrap();
        assert_eq!(parts.media_type, "");
        assert!(parts.media.is_empty());
        assert_eq!(parts.checksums["crc32c"], "AAAAAA==");
    }

    #[test]
    fn broken_bodies_are_refused() {
        for body in [
            "",
            "--b1--",
            "--b1\r\n\r\n{}\r\n--b1--",
            "--b1\r\n\r\n{}\r\n--b1\r\n\r\ncut off",
            "--b1\r\nno end of headers\r\n--b1--",
            "--b1",
        ] {
            assert!(parsed(body).is_err(), "{body:?}");
        }
        assert!(read("multipart/related", &Bytes::new()).is_err());
        assert!(read("text/plain; boundary=b1", &Bytes::new()).is_err());
    }
}
