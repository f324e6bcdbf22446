//! What callers read when a call is refused, in both APIs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::*;

const KEY: &str = "x-goog-encryption-key";

async fn json_line(case: &str, request: reqwest::RequestBuilder) -> String {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    let error: Value = serde_json::from_str(&text).unwrap_or_default();
    let reason = error["error"]["errors"][0]["reason"].as_str().unwrap_or("-");
    let message = error["error"]["message"].as_str().unwrap_or(&text);
    format!("{case}\n    {status} {reason}: {message}\n")
}

fn grpc_line<T: std::fmt::Debug>(case: &str, answer: Result<T, Status>) -> String {
    let status = answer.unwrap_err();
    format!("{case}\n    {:?}: {}\n", status.code(), status.message())
}

#[tokio::test]
async fn refusals_of_the_json_api() {
    let emulator = start().await;
    let storage = emulator.storage();
    let generation = storage.put("a", "0123456789").unwrap();
    storage.put("held", "").unwrap();
    let hold = |to: &mut brigade_model::Attributes| to.temporary_hold = true;
    storage.bucket(BUCKET).edit("held", hold).unwrap();
    let root = format!("{}storage/v1/b", emulator.url());
    let upload = |query: &str| http().post(upload_url(&emulator, query));
    let at = |path: &str| url(&emulator, path);
    let large = json!({"metadata": {"key": "x".repeat(8 * 1024)}});
    let multipart = |content_type: &'static str, body: &'static str| {
        upload("uploadType=multipart&name=n").header("content-type", content_type).body(body)
    };
    let session = upload("uploadType=resumable&name=n").send().await.unwrap();
    let session = session.headers()["location"].to_str().unwrap().to_owned();
    let chunk = |range: &'static str| http().put(&session).header("content-range", range);
    let cases = [
        ("no such path", http().get(at("/iam"))),
        ("no such method", http().put(&root)),
        ("no UTF-8 in the path", http().get(at("/o/%FF"))),
        ("no UTF-8 in the query", http().get(at("/o?prefix=%FF"))),
        ("no such bucket", http().get(format!("{root}/nowhere/o"))),
        ("no such object", http().get(at("/o/nothing"))),
        ("no content of one", http().get(at("/o/nothing?alt=media"))),
        ("range behind the end", http().get(at("/o/a?alt=media")).header("range", "bytes=10-")),
        ("condition", http().get(at("/o/a?ifGenerationMatch=1"))),
        ("not modified", http().get(at(&format!("/o/a?ifGenerationNotMatch={generation}")))),
        ("condition that is no number", http().get(at("/o/a?ifGenerationMatch=x"))),
        ("negative page size", http().get(at("/o?maxResults=-1"))),
        ("page token", http().get(at("/o?pageToken=!"))),
        ("glob", http().get(at("/o?matchGlob=*"))),
        ("soft-deleted", http().get(at("/o/a?softDeleted=true"))),
        ("download with a key", http().get(at("/o/a?alt=media")).header(KEY, "k")),
        ("body that is no object", http().patch(at("/o/a")).body("[]")),
        ("metadata of a wrong type", http().patch(at("/o/a")).json(&json!({"metadata": {"k": 1}}))),
        ("hold of a wrong type", http().patch(at("/o/a")).json(&json!({"temporaryHold": "yes"}))),
        ("time of a wrong form", http().patch(at("/o/a")).json(&json!({"customTime": "noon"}))),
        ("large metadata", http().patch(at("/o/a")).json(&large)),
        ("held", http().delete(at("/o/held"))),
        ("move onto itself", http().post(at("/o/a/moveTo/o/a"))),
        ("illegal name", http().post(at("/o/a/moveTo/o/a%0Ab"))),
        ("long name", upload(&format!("uploadType=media&name={}", "x".repeat(1_025)))),
        ("rewrite token", http().post(at("/o/a/rewriteTo/b/some-bucket/o/b?rewriteToken=x"))),
        (
            "rewrite step",
            http().post(at("/o/a/rewriteTo/b/some-bucket/o/b?maxBytesRewrittenPerCall=1")),
        ),
        ("bucket without a name", http().post(&root).body("{}")),
        ("bucket's name", http().post(&root).json(&json!({"name": "No Bucket"}))),
        ("bucket that is there", http().post(&root).json(&json!({"name": BUCKET}))),
        (
            "bucket with versions",
            http().post(&root).json(&json!({"name": "b-1", "versioning": {"enabled": true}})),
        ),
        (
            "bucket's retention",
            http().post(&root).json(&json!({"name": "b-1", "retentionPolicy": {}})),
        ),
        ("bucket that is not empty", http().delete(at(""))),
        ("upload of no type", upload("name=n")),
        ("upload without a name", upload("uploadType=media")),
        ("upload with a key", upload("uploadType=media&name=n").header(KEY, "k")),
        (
            "upload with a wrong sum",
            upload("uploadType=media&name=n").header("x-goog-hash", "crc32c=AAAAAA==").body("1"),
        ),
        (
            "upload with no sum",
            upload("uploadType=media&name=n").header("x-goog-hash", "crc32c=?").body("1"),
        ),
        ("multipart without a boundary", multipart("multipart/related", "")),
        ("multipart cut off", multipart("multipart/related; boundary=x", "--x\r\n\r\n{}")),
        (
            "multipart of one part",
            multipart("multipart/related; boundary=x", "--x\r\n\r\n{}\r\n--x--"),
        ),
        (
            "multipart without headers' end",
            multipart("multipart/related; boundary=x", "--x\r\nk: v\r\n--x--"),
        ),
        ("chunk's range", chunk("bytes x")),
        ("chunk behind a gap", chunk("bytes 5-7/8").body("day")),
        ("chunk of too much", chunk("bytes 0-2/2").body("day")),
        (
            "no such session",
            http().put(format!("{}x", upload_url(&emulator, "upload_id="))).body(""),
        ),
    ];
    let mut table = String::new();
    for (case, request) in cases {
        table += &json_line(case, request).await;
    }
    let names = list(&mut grpc(&emulator).await, "").await;
    assert_eq!(names, ["a", "held"], "a refused call changes nothing");
    insta::assert_snapshot!(table);
}

#[tokio::test]
async fn refusals_of_the_grpc_api() {
    let emulator = start().await;
    let mut client = grpc(&emulator).await;
    let generation = emulator.storage().put("a", "1").unwrap();
    let held = emulator.storage().put("held", "").unwrap();
    let mut table = String::new();
    let list =
        |parent: &str| wire::ListObjectsRequest { parent: parent.into(), ..Default::default() };
    let some = || list(RESOURCE);
    for (case, request) in [
        ("bucket that is not a resource", list(BUCKET)),
        ("no such bucket", list("projects/_/buckets/nowhere")),
        ("negative page size", wire::ListObjectsRequest { page_size: -1, ..some() }),
        ("soft-deleted", wire::ListObjectsRequest { soft_deleted: true, ..some() }),
        ("glob", wire::ListObjectsRequest { match_glob: "*".into(), ..some() }),
        ("filter", wire::ListObjectsRequest { filter: "x".into(), ..some() }),
        ("read mask", wire::ListObjectsRequest { read_mask: mask(&["nmae"]), ..some() }),
    ] {
        table += &grpc_line(case, client.list_objects(request).await);
    }
    table += &grpc_line("no such object", get(&mut client, "nothing").await);
    table += &grpc_line("illegal name", get(&mut client, "..").await);
    for hold in ["temporary", "event-based"] {
        let edit = move |to: &mut brigade_model::Attributes| {
            to.temporary_hold = hold == "temporary";
            to.event_based_hold = hold == "event-based";
        };
        emulator.storage().bucket(BUCKET).edit("held", edit).unwrap();
        let case = format!("{hold} hold");
        table += &grpc_line(&case, client.move_object(pinned_move("held", "free", held)).await);
    }
    let known = wire::GetObjectRequest {
        bucket: RESOURCE.into(),
        object: "a".into(),
        if_generation_not_match: Some(generation),
        ..Default::default()
    };
    table += &grpc_line("not modified", client.get_object(known).await);
    let looked = wire::GetObjectRequest {
        bucket: RESOURCE.into(),
        object: "a".into(),
        soft_deleted: Some(true),
        ..Default::default()
    };
    table += &grpc_line("soft-deleted object", client.get_object(looked).await);
    for paths in [&[][..], &["size"], &["metadata."]] {
        let object =
            wire::Object { bucket: RESOURCE.into(), name: "a".into(), ..Default::default() };
        let request = wire::UpdateObjectRequest {
            object: Some(object),
            update_mask: mask(paths),
            ..Default::default()
        };
        let case = format!("update of {paths:?}");
        table += &grpc_line(&case, client.update_object(request).await);
    }
    let rewrite = wire::RewriteObjectRequest {
        source_bucket: RESOURCE.into(),
        source_object: "a".into(),
        destination_bucket: RESOURCE.into(),
        destination_name: "b".into(),
        ..Default::default()
    };
    for (case, request) in [
        (
            "rewrite token",
            wire::RewriteObjectRequest { rewrite_token: "x".into(), ..rewrite.clone() },
        ),
        (
            "rewrite with a key",
            wire::RewriteObjectRequest { destination_kms_key: "k".into(), ..rewrite },
        ),
    ] {
        table += &grpc_line(case, client.rewrite_object(request).await);
    }
    for (case, path) in [
        ("no such call", "google.storage.v2.Storage/ComposeObject"),
        ("no such service", "google.storage.v3.Other/Call"),
    ] {
        let request = http()
            .post(emulator.url().join(path).unwrap())
            .header("content-type", "application/grpc");
        let response = request.send().await.unwrap();
        let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap());
        let (code, message) = (header("grpc-status"), header("grpc-message"));
        let _ = writeln!(table, "{case}\n    {}: {}", code.unwrap(), message.unwrap_or_default());
    }
    insta::assert_snapshot!(table);
}

#[expect(clippy::unnecessary_wraps, reason = "every mask is an optional field")]
fn mask(paths: &[&str]) -> Option<prost_types::FieldMask> {
    let paths = paths.iter().map(|&path| path.into()).collect();
    Some(prost_types::FieldMask { paths })
}
