//! `multipart/related` bodies: the resource, the media and, from some clients, checksums behind it.
//!
//! Their lines end with CRLF, or with a bare LF, which public clients send; the first line says which.

use bytes::{Bytes, BytesMut};
use serde_json::{Map, Value};

use crate::storage::json::body::body_object;
use brigade_model::{Refusal, Result};

/// Takes a body apart while it arrives. The media goes through it; the parts before and behind the media are small.
#[derive(Debug)]
pub(super) struct Multipart {
    boundary: String,
    /// What lines end with.
    line_end: &'static str,
    /// What is not taken apart yet.
    rest: BytesMut,
    head: Option<Head>,
    is_media_whole: bool,
}

/// What is before the media.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) resource: Map<String, Value>,
    /// Content-Type of the media's part; empty for none.
    pub(super) media_type: String,
}

/// One part: what its headers say it is, and its content.
struct Part {
    content_type: String,
    content: Bytes,
}

impl Multipart {
    /// Of a body with this Content-Type.
    pub(super) fn new(content_type: &str) -> Result<Self> {
        let boundary = boundary(content_type).ok_or_else(|| {
            Refusal::invalid("A multipart upload needs a Content-Type with a boundary.")
        })?;
        Ok(Self {
            boundary,
            line_end: "\r\n",
            rest: BytesMut::new(),
            head: None,
            is_media_whole: false,
        })
    }

    /// What is before the media, once it has arrived.
    pub(super) fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// Takes the next bytes of the body, and gives what of the media is certain with them.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Bytes> {
        self.rest.extend_from_slice(bytes);
        if self.head.is_none() && !self.read_head()? || self.is_media_whole {
            return Ok(Bytes::new());
        }
        let delimiter = format!("{}--{}", self.line_end, self.boundary);
        let end = find(&self.rest, delimiter.as_bytes());
        self.is_media_whole = end.is_some();
        // The last bytes may be the beginning of a delimiter.
        let certain = end.unwrap_or((self.rest.len() + 1).saturating_sub(delimiter.len()));
        Ok(self.rest.split_to(certain).freeze())
    }

    /// Reads what is before the media, if all of it is there.
    fn read_head(&mut self) -> Result<bool> {
        let body = self.rest.clone().freeze();
        let Some(line_end) = line_end(&self.boundary, &body) else {
            return Ok(false);
        };
        self.line_end = line_end;
        let Ok((mut parts, media)) = self.split(&body, 1) else {
            return Ok(false);
        };
        let (headers, empty_line) = (body.slice(media..), line_end.repeat(2));
        let (Some(resource), Some(length), true) = (
            parts.pop(),
            find(&headers, empty_line.as_bytes()),
            headers.starts_with(line_end.as_bytes()),
        ) else {
            return Ok(false);
        };
        let begin = media + length + empty_line.len();
        let media_type = self.part(&body.slice(media..begin))?.content_type;
        self.head = Some(Head { resource: body_object(&resource.content)?, media_type });
        let _ = self.rest.split_to(begin);
        Ok(true)
    }

    /// The checksums that some clients send behind the media, when the body has ended.
    pub(super) fn finish(self) -> Result<Map<String, Value>> {
        if !self.is_media_whole {
            // Says what is wrong with it.
            self.split(&self.rest.clone().freeze(), usize::MAX)?;
            return Err(incomplete());
        }
        let behind = self.rest.clone().freeze().slice(self.line_end.len()..);
        let (parts, _) = self.split(&behind, usize::MAX)?;
        parts.first().map_or_else(|| Ok(Map::new()), |part| body_object(&part.content))
    }

    /// At most so many parts between the delimiters, and where the next one begins. What is before the first delimiter and
    /// behind the last one is no part.
    fn split(&self, body: &Bytes, limit: usize) -> Result<(Vec<Part>, usize)> {
        let broken = || Refusal::invalid("The multipart body is broken: a boundary is missing.");
        let line_end = self.line_end;
        let delimiter = format!("{line_end}--{}", self.boundary);
        let first = &delimiter[line_end.len()..];
        let mut at = if body.starts_with(first.as_bytes()) {
            first.len()
        } else {
            find(body, delimiter.as_bytes()).ok_or_else(broken)? + delimiter.len()
        };
        let mut parts = Vec::new();
        while !body[at..].starts_with(b"--") {
            let line = find(&body[at..], line_end.as_bytes()).ok_or_else(broken)?;
            // The line's end may be the end of empty headers as well, so it is kept.
            let begin = at + line;
            if parts.len() == limit {
                return Ok((parts, begin));
            }
            let end = begin + line_end.len();
            let end = end + find(&body[end..], delimiter.as_bytes()).ok_or_else(broken)?;
            parts.push(self.part(&body.slice(begin..end))?);
            at = end + delimiter.len();
        }
        Ok((parts, at))
    }

    /// Headers, an empty line, content.
    fn part(&self, bytes: &Bytes) -> Result<Part> {
        let empty_line = self.line_end.repeat(2);
        let end = find(bytes, empty_line.as_bytes()).ok_or_else(|| {
            Refusal::invalid(
                "The multipart body is broken: a part has no empty line after its headers.",
            )
        })?;
        let headers = String::from_utf8_lossy(&bytes[..end]);
        let content_type = headers.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.trim().eq_ignore_ascii_case("content-type").then(|| value.trim().to_owned())
        });
        Ok(Part {
            content_type: content_type.unwrap_or_default(),
            content: bytes.slice(end + empty_line.len()..),
        })
    }
}

/// The refusal of a body without a part that it needs.
pub(super) fn incomplete() -> Refusal {
    Refusal::invalid("A multipart upload needs a resource and a media part.")
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

/// What the first delimiter's line ends with, if it is whole.
fn line_end(boundary: &str, body: &[u8]) -> Option<&'static str> {
    let at = find(body, format!("--{boundary}").as_bytes())?;
    let line = &body[at..at + find(&body[at..], b"\n")?];
    Some(if line.ends_with(b"\r") { "\r\n" } else { "\n" })
}

/// Where `needle` is.
fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let (&first, mut from) = (needle.first()?, 0);
    loop {
        let at = from + haystack[from..].iter().position(|&byte| byte == first)?;
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

    /// The head, the media and the checksums, whatever the pieces in which the body arrives.
    fn parsed(body: &str) -> Result<(Head, String, Map<String, Value>)> {
        let taken = |step: usize| {
            let mut parts = Multipart::new(TYPE)?;
            let mut media = Vec::new();
            for piece in body.as_bytes().chunks(step) {
                media.extend(parts.push(piece)?);
            }
            let head = parts.head.take();
            let checksums = parts.finish()?;
            Ok((head.ok_or_else(incomplete)?, String::from_utf8(media).unwrap(), checksums))
        };
        let whole = taken(body.len().max(1));
        for step in 1..body.len() {
            assert_eq!(format!("{whole:?}"), format!("{:?}", taken(step)), "{body:?} by {step}");
        }
        whole
    }

    #[test]
    fn a_resource_and_a_media_part_are_split() {
        let (head, media, checksums) = parsed(
            "--b1\r\nContent-Type: application/json\r\n\r\n{\"name\":\"n\"}\r\n\
             --b1\r\ncontent-type: text/csv\r\n\r\nday\r\n--b\r\n\r\n1\r\n--b1--\r\n",
        )
        .unwrap();
        assert_eq!(head.resource["name"], "n");
        assert_eq!(head.media_type, "text/csv");
        assert_eq!(media, "day\r\n--b\r\n\r\n1");
        assert!(checksums.is_empty());
    }

    #[test]
    fn a_body_with_bare_line_feeds_is_split_and_its_media_keeps_carriage_returns() {
        let (head, media, checksums) = parsed(
            "--b1\nContent-Type: application/json\n\n{\"name\":\"n\"}\n\
             --b1\nContent-Type: text/csv\n\nday\r\n1\n--b\r\n--b1--",
        )
        .unwrap();
        assert_eq!(head.resource["name"], "n");
        assert_eq!(head.media_type, "text/csv");
        assert_eq!(media, "day\r\n1\n--b\r");
        assert!(checksums.is_empty());
    }

    #[test]
    fn parts_without_headers_and_without_content_are_parts() {
        let (head, media, checksums) = parsed(
            "--b1\r\n\r\n{}\r\n--b1\r\n\r\n\r\n--b1\r\n\r\n{\"crc32c\":\"AAAAAA==\"}\r\n--b1--",
        )
        .unwrap();
        assert_eq!(head.media_type, "");
        assert!(media.is_empty());
        assert_eq!(checksums["crc32c"], "AAAAAA==");
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
        assert!(Multipart::new("multipart/related").is_err());
        assert!(Multipart::new("text/plain; boundary=b1").is_err());
    }
}
