//! Which call of the JSON API a method and a path are.

use std::fmt::Write as _;

use axum::body::Body;
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use super::*;
use crate::storage::{Grants, router};

/// What the service makes of the request: what it counts, and what it answers.
const REQUESTS: &str = "
GET /storage/v1/b/some-bucket/o/a%2Fb
GET /storage/v1/b/some-bucket/o/%252F
GET /storage/v1/b/some-bucket/o/a+b
GET /storage/v1/b/some-bucket/o/%2e%2e
GET /storage/v1/b/some-bucket/o/..
GET /storage/v1/b/some-bucket/o/a%00b
GET /storage/v1/b/some-bucket/o/d%C3%A9
GET /storage/v1/b/some-bucket/o/100%
GET /storage/v1/b/some-bucket/o/{object}
GET /storage/v1/b/some-bucket/o/a/b
GET /storage/v1/b/some-bucket/o/%FF
GET /storage/v1/b/some-bucket/o/%FF?alt=media
GET /storage/v1/b/%FF/iam
PUT /storage/v1/b/%FF
GET /storage/v1/b/some-bucket/o/
GET /storage/v1/b/some-bucket/o/?alt=media
GET /storage/v1/b/some-bucket/o//
DELETE /storage/v1/b/some-bucket/o/
GET /download/storage/v1/b/some-bucket/o/
GET /storage/v1/b/
GET /storage/v1/b//o
GET /storage/v1/b//o/a
GET /storage/v1/b/some-bucket/
POST /storage/v1/b/some-bucket/o//moveTo/o/b
POST /storage/v1/b/some-bucket/o/copyTo/moveTo/o/
POST /storage/v1/b/some-bucket/o/copyTo/copyTo/b//o/x
POST /storage/v1/b/some-bucket/o/copyTo/copyTo/b/other-bucket/o/
POST /storage/v1/b/some-bucket/o/copyTo/rewriteTo/b/other-bucket/o/
POST /storage/v1/b/some-bucket/o/copyTo/copyTo/b/other-bucket/o/b%2Fo
POST /storage/v1/b/some-bucket/o/copyTo/rewriteTo/b/other-bucket/o/b%2Fo
POST /storage/v1/b/some-bucket/o/copyTo/moveTo/o/x
GET /storage/v1/b/some-bucket/o/x
GET /storage/v1/b/some-bucket/o/x?x=1&alt=media
GET /storage/v1/b/some-bucket/o/x?alt=media&generation=x
GET /storage/v1/b/some-bucket/o/x?alt=media&name=%FF
GET /download/storage/v1/b/some-bucket/o/x
PATCH /download/storage/v1/b/some-bucket/o/x
PUT /storage/v1/b/some-bucket/o/x?alt=media
PATCH /storage/v1/b/some-bucket/o/x?alt=media&generation=x
DELETE /storage/v1/b/some-bucket/o/x
GET /storage/v1/b
POST /storage/v1/b
PUT /storage/v1/b
GET /storage/v1/b/some-bucket
HEAD /storage/v1/b/some-bucket
OPTIONS /storage/v1/b/some-bucket
DELETE /storage/v1/b/some-bucket
GET /storage/v1/b/other-bucket/o
GET /storage/v1/b/other-bucket/o?alt=media&maxResults=x
PUT /storage/v1/b/other-bucket/o
HEAD /storage/v1/b/other-bucket/o/b%2Fo
HEAD /storage/v1/b/other-bucket/o/b%2Fo?alt=media
POST /storage/v1/b/other-bucket/o/b%2Fo
POST /upload/storage/v1/b/other-bucket/o
POST /upload/storage/v1/b//o?uploadType=media&name=n
PUT /upload/storage/v1/b/other-bucket/o
DELETE /upload/storage/v1/b/other-bucket/o
GET /upload/storage/v1/b/other-bucket/o
GET /upload/storage/v1/b/other-bucket/o/x
GET /storage/v1/b/other-bucket/x
GET /storage/v1/buckets
GET /
";

#[tokio::test]
async fn every_path_and_method_is_one_call_or_none() {
    let emulator = start().await;
    let storage = emulator.storage();
    let router = router(storage, Grants::new(emulator.identity().clone(), Vec::new()));
    storage.put("copyTo", "content").unwrap();
    let mut table = String::new();
    for line in REQUESTS.trim().lines() {
        storage.reset_calls();
        let (method, path) = line.split_once(' ').unwrap();
        let request = http::Request::builder().method(method).uri(path).body(Body::empty());
        let answer = router.clone().oneshot(request.unwrap()).await.unwrap();
        let status = answer.status().as_u16();
        assert!(!answer.headers().contains_key("allow"), "{line}");
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let text = str::from_utf8(&body).unwrap().escape_debug().to_string();
        let text = match serde_json::from_slice::<Value>(&body) {
            Ok(json) if json["error"].is_object() => format!("error {}", json["error"]["message"]),
            Ok(json) => format!("{} {} {}", json["kind"], json["bucket"], json["name"]),
            Err(_) => text,
        };
        let _ = writeln!(table, "{line}\n    {:?}\n    {status} {text}", storage.calls());
    }
    insta::assert_snapshot!(table);
}
