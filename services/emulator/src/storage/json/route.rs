//! Which call a method and a path are.
//!
//! The path is taken raw and each of its segments is decoded exactly once: `a%2Fb` is one segment, the name `a/b`, and
//! `%252F` is a name with a percent sign in it.

use http::{Method, Request};
use percent_encoding::percent_decode_str;

use crate::storage::operation::Operation;
use brigade_model::{Kind, Refusal, Result};

/// A bucket's name and an object's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) bucket: String,
    pub(crate) object: String,
}

/// A call of the JSON API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    ListBuckets,
    CreateBucket,
    GetBucket(String),
    DeleteBucket(String),
    List(String),
    Get(At),
    Download(At),
    Patch(At),
    Update(At),
    Delete(At),
    Rewrite(At, At),
    Copy(At, At),
    Move(At, At),
    /// An upload, or the beginning of a resumable one.
    Upload(String),
    /// A later request of a resumable upload.
    Chunk(String),
}

impl Route {
    pub(crate) fn for_request<B>(request: &Request<B>) -> Result<Self> {
        Self::parse(request.method(), request.uri().path(), request.uri().query())
    }

    fn parse(method: &Method, path: &str, query: Option<&str>) -> Result<Self> {
        let no_route = || Refusal::new(Kind::NoRoute, format!("There is no {method} {path} here."));
        let (service, rest) = ["/storage/v1/b", "/upload/storage/v1/b", "/download/storage/v1/b"]
            .into_iter()
            .find_map(|root| Some((root, path.strip_prefix(root)?)))
            .ok_or_else(no_route)?;
        let segments = segments(rest)?;
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let media = service.starts_with("/download") || has(query, "alt=media");
        let route = match (service, segments.as_slice()) {
            ("/storage/v1/b", []) => buckets(method),
            ("/storage/v1/b", [bucket]) => bucket_itself(method, bucket),
            ("/storage/v1/b", [bucket, "o"]) if method == Method::GET => {
                Some(Self::List((*bucket).to_owned()))
            }
            ("/upload/storage/v1/b", [bucket, "o"]) => upload(method, bucket),
            ("/storage/v1/b" | "/download/storage/v1/b", [bucket, "o", object]) => {
                object_itself(method, At::new(bucket, object), media)
            }
            ("/storage/v1/b", [bucket, "o", object, rest @ ..]) if method == Method::POST => {
                transfer(At::new(bucket, object), rest)
            }
            _ => None,
        };
        route.ok_or_else(no_route)
    }

    /// Whether it is about an object's content, where errors are plain text.
    pub(crate) fn is_media(&self) -> bool {
        matches!(self, Self::Download(_))
    }

    /// What it counts as.
    pub(crate) fn operation(&self) -> Operation {
        match self {
            Self::ListBuckets => Operation::ListBuckets,
            Self::CreateBucket => Operation::CreateBucket,
            Self::GetBucket(_) => Operation::GetBucket,
            Self::DeleteBucket(_) => Operation::DeleteBucket,
            Self::List(_) => Operation::List,
            Self::Get(_) => Operation::Get,
            Self::Download(_) => Operation::Read,
            Self::Patch(_) | Self::Update(_) => Operation::Update,
            Self::Delete(_) => Operation::Delete,
            Self::Rewrite(..) | Self::Copy(..) => Operation::Rewrite,
            Self::Move(..) => Operation::Move,
            Self::Upload(_) => Operation::Insert,
            Self::Chunk(_) => Operation::Chunk,
        }
    }
}

impl At {
    fn new(bucket: &str, object: &str) -> Self {
        Self { bucket: bucket.to_owned(), object: object.to_owned() }
    }
}

fn buckets(method: &Method) -> Option<Route> {
    match *method {
        Method::GET => Some(Route::ListBuckets),
        Method::POST => Some(Route::CreateBucket),
        _ => None,
    }
}

fn bucket_itself(method: &Method, bucket: &str) -> Option<Route> {
    match *method {
        Method::GET => Some(Route::GetBucket(bucket.to_owned())),
        Method::DELETE => Some(Route::DeleteBucket(bucket.to_owned())),
        _ => None,
    }
}

fn upload(method: &Method, bucket: &str) -> Option<Route> {
    match *method {
        Method::POST => Some(Route::Upload(bucket.to_owned())),
        Method::PUT | Method::DELETE => Some(Route::Chunk(bucket.to_owned())),
        _ => None,
    }
}

fn object_itself(method: &Method, at: At, media: bool) -> Option<Route> {
    match *method {
        Method::GET if media => Some(Route::Download(at)),
        Method::GET => Some(Route::Get(at)),
        Method::PATCH => Some(Route::Patch(at)),
        Method::PUT => Some(Route::Update(at)),
        Method::DELETE => Some(Route::Delete(at)),
        _ => None,
    }
}

fn transfer(from: At, rest: &[&str]) -> Option<Route> {
    match rest {
        ["rewriteTo", "b", bucket, "o", object] => {
            Some(Route::Rewrite(from, At::new(bucket, object)))
        }
        ["copyTo", "b", bucket, "o", object] => Some(Route::Copy(from, At::new(bucket, object))),
        ["moveTo", "o", object] => {
            let to = At::new(&from.bucket, object);
            Some(Route::Move(from, to))
        }
        _ => None,
    }
}

/// The segments behind the root, each decoded once.
fn segments(rest: &str) -> Result<Vec<String>> {
    match rest.strip_prefix('/') {
        None if rest.is_empty() => Ok(Vec::new()),
        None => Err(Refusal::new(Kind::NoRoute, "There is no such path here.")),
        Some("") => Ok(Vec::new()),
        Some(rest) => rest.split('/').map(decode).collect(),
    }
}

fn decode(segment: &str) -> Result<String> {
    percent_decode_str(segment)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| Refusal::invalid("A name in the path is not UTF-8."))
}

fn has(query: Option<&str>, pair: &str) -> bool {
    query.is_some_and(|query| query.split('&').any(|found| found == pair))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str) -> Result<Route> {
        Route::parse(&Method::GET, path, None)
    }

    #[test]
    fn names_are_decoded_exactly_once() {
        for (segment, name) in [
            ("a%2Fb", "a/b"),
            ("%252F", "%2F"),
            ("a+b", "a+b"),
            ("%2e%2e", ".."),
            ("a%00b", "a\0b"),
            ("d%C3%A9", "dé"),
            ("100%", "100%"),
        ] {
            let route = get(&format!("/storage/v1/b/bkt/o/{segment}")).unwrap();
            assert_eq!(route, Route::Get(At::new("bkt", name)));
        }
    }

    #[test]
    fn a_slash_that_is_not_encoded_ends_the_name() {
        assert_eq!(get("/storage/v1/b/bkt/o/a/b").unwrap_err().kind, Kind::NoRoute);
    }

    #[test]
    fn names_that_are_not_utf8_are_refused() {
        assert_eq!(get("/storage/v1/b/bkt/o/%FF").unwrap_err().kind, Kind::Invalid);
    }

    #[test]
    fn downloads_are_told_from_looks() {
        let at = At::new("bkt", "o");
        assert_eq!(get("/download/storage/v1/b/bkt/o/o").unwrap(), Route::Download(at.clone()));
        let media = Route::parse(&Method::GET, "/storage/v1/b/bkt/o/o", Some("x=1&alt=media"));
        assert_eq!(media.unwrap(), Route::Download(at));
    }

    #[test]
    fn copies_name_both_ends() {
        let post = |path| Route::parse(&Method::POST, path, None).unwrap();
        let (from, to) = (At::new("one", "copyTo"), At::new("two", "b/o"));
        assert_eq!(
            post("/storage/v1/b/one/o/copyTo/copyTo/b/two/o/b%2Fo"),
            Route::Copy(from.clone(), to.clone())
        );
        assert_eq!(
            post("/storage/v1/b/one/o/copyTo/rewriteTo/b/two/o/b%2Fo"),
            Route::Rewrite(from.clone(), to)
        );
        assert_eq!(
            post("/storage/v1/b/one/o/copyTo/moveTo/o/x"),
            Route::Move(from, At::new("one", "x"))
        );
    }

    #[test]
    fn other_paths_and_methods_have_no_route() {
        for path in
            ["/storage/v1/buckets", "/", "/storage/v1/b/bkt/x", "/upload/storage/v1/b/bkt/o/x"]
        {
            assert_eq!(get(path).unwrap_err().kind, Kind::NoRoute, "{path}");
        }
        let options = Route::parse(&Method::OPTIONS, "/storage/v1/b/bkt", None);
        assert_eq!(options.unwrap_err().kind, Kind::NoRoute);
    }
}
