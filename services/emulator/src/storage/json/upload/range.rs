//! `Content-Range` headers of resumable uploads.

use brigade_model::{Refusal, Result};

/// What a request of a resumable upload brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ContentRange {
    /// Nothing: how far did it get? With a total, which ends the upload when all of it is there.
    Query {
        /// The object's size.
        total: Option<u64>,
    },
    /// Bytes from `first`. With a total the upload ends there; without, more are to come.
    Chunk {
        /// Where they begin.
        first: u64,
        /// The object's size.
        total: Option<u64>,
    },
    /// Bytes from here to the object's end, however many they are.
    Rest {
        /// Where they begin.
        first: u64,
    },
}

impl ContentRange {
    /// Reads the header; without one the body is the whole object.
    pub(super) fn parse(header: &str) -> Result<Self> {
        if header.is_empty() {
            return Ok(Self::Rest { first: 0 });
        }
        Self::parts(header)
            .ok_or_else(|| Refusal::invalid("The Content-Range header is not valid for an upload."))
    }

    fn parts(header: &str) -> Option<Self> {
        let (range, total) = header.strip_prefix("bytes ")?.split_once('/')?;
        let total = match total {
            "*" => None,
            total => Some(total.parse().ok()?),
        };
        match range.split_once('-') {
            None if range == "*" => Some(Self::Query { total }),
            None => None,
            Some((first, "*")) if total.is_none() => {
                Some(Self::Rest { first: first.parse().ok()? })
            }
            Some((first, last)) => {
                let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
                (first <= last).then_some(Self::Chunk { first, total })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_all_shapes_are_read() {
        let parse = |header| ContentRange::parse(header).unwrap();
        assert_eq!(parse(""), ContentRange::Rest { first: 0 });
        assert_eq!(parse("bytes */*"), ContentRange::Query { total: None });
        assert_eq!(parse("bytes */0"), ContentRange::Query { total: Some(0) });
        assert_eq!(parse("bytes 0-9/*"), ContentRange::Chunk { first: 0, total: None });
        assert_eq!(parse("bytes 5-9/10"), ContentRange::Chunk { first: 5, total: Some(10) });
        assert_eq!(parse("bytes 5-*/*"), ContentRange::Rest { first: 5 });
    }

    #[test]
    fn broken_headers_are_refused() {
        for header in
            ["bytes", "bytes 0-9", "bytes 9-0/10", "bytes a-b/c", "items 0-9/10", "bytes 5/10"]
        {
            assert!(ContentRange::parse(header).is_err(), "{header}");
        }
    }
}
