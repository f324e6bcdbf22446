use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::*;

const QUANTUM: usize = 256 * 1024;

fn sum(content: &[u8]) -> String {
    BASE64_STANDARD.encode(crc32c::crc32c(content).to_be_bytes())
}

#[tokio::test]
async fn a_simple_upload_takes_its_type_from_the_header_and_its_conditions_from_the_query() {
    let emulator = start().await;
    let upload = || {
        http()
            .post(upload_url(&emulator, "uploadType=media&name=a%2Fb&ifGenerationMatch=0"))
            .body("day")
    };
    let stored: Value =
        upload().header("content-type", "text/csv").send().await.unwrap().json().await.unwrap();
    assert_eq!((&stored["name"], &stored["contentType"]), (&json!("a/b"), &json!("text/csv")));
    assert_eq!(stored["crc32c"], sum(b"day"));
    assert_eq!(upload().send().await.unwrap().status(), 412);
}

#[tokio::test]
async fn a_multipart_upload_has_metadata_media_and_checksums() {
    let emulator = start().await;
    let upload = |media: &str, sum: &str| {
        let body = format!(
            "--x\r\ncontent-type: application/json\r\n\r\n{{\"metadata\":{{\"k\":\"v\"}}}}\r\n\
             --x\r\n\r\n{media}\r\n--x\r\n\r\n{{\"crc32c\":\"{sum}\"}}\r\n--x--\r\n"
        );
        let request = http().post(upload_url(&emulator, "uploadType=multipart&name=a"));
        request.header("content-type", "multipart/related; boundary=x").body(body).send()
    };
    let refused = upload("day", &sum(b"night")).await.unwrap();
    assert_eq!(refused.status(), 400);
    let stored: Value = upload("day\r\n", &sum(b"day\r\n")).await.unwrap().json().await.unwrap();
    assert_eq!((&stored["metadata"]["k"], &stored["size"]), (&json!("v"), &json!("5")));
    assert_eq!(emulator.storage().read("a").unwrap().unwrap(), "day\r\n");
}

/// Opens a session and answers its address.
async fn session(emulator: &Emulator, name: &str) -> String {
    let request = http().post(upload_url(emulator, &format!("uploadType=resumable&name={name}")));
    let response = request.json(&json!({"contentType": "text/csv"})).send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.headers()["location"].to_str().unwrap().to_owned()
}

async fn put(session: &str, range: &str, body: Vec<u8>) -> reqwest::Response {
    let length = body.len();
    let request =
        http().put(session).header("content-range", range).header("content-length", length);
    request.body(body).send().await.unwrap()
}

fn persisted(response: &reqwest::Response) -> Option<&str> {
    assert_eq!(response.status(), 308);
    response.headers().get("range").map(|range| range.to_str().unwrap())
}

#[tokio::test]
async fn a_resumable_upload_arrives_in_chunks_and_reports_how_far_it_got() {
    let emulator = start().await;
    let session = session(&emulator, "a").await;
    assert_eq!(persisted(&put(&session, "bytes */*", Vec::new()).await), None);

    let first = put(&session, &format!("bytes 0-{}/*", QUANTUM - 1), vec![1; QUANTUM]).await;
    let want = format!("bytes=0-{}", QUANTUM - 1);
    assert_eq!(persisted(&first), Some(want.as_str()));
    // The part beyond a whole quantum is not kept, and has to be sent again.
    let odd = put(&session, &format!("bytes {QUANTUM}-{}/*", QUANTUM + 9), vec![2; 10]).await;
    assert_eq!(persisted(&odd), Some(want.as_str()));
    assert!(emulator.storage().get("a").unwrap().is_none());

    // Bytes that are sent twice count once.
    let total = QUANTUM + 10;
    let mut tail = vec![1; 5];
    tail.extend([2; 10]);
    let last = put(&session, &format!("bytes {}-{}/{total}", QUANTUM - 5, total - 1), tail).await;
    assert_eq!(last.status(), 200);
    let object: Value = last.json().await.unwrap();
    assert_eq!(
        (&object["size"], &object["contentType"]),
        (&json!(total.to_string()), &json!("text/csv"))
    );
    let content = emulator.storage().read("a").unwrap().unwrap();
    assert!(
        content[..QUANTUM].iter().all(|&b| b == 1) && content[QUANTUM..].iter().all(|&b| b == 2)
    );

    // A client that lost the answer asks, and gets it again.
    let again = put(&session, "bytes */*", Vec::new()).await;
    assert_eq!((again.status().as_u16(), again.json::<Value>().await.unwrap()), (200, object));
}

#[tokio::test]
async fn resumable_uploads_end_in_all_the_ways_clients_end_them() {
    let emulator = start().await;
    let empty = session(&emulator, "empty").await;
    assert_eq!(put(&empty, "bytes */0", Vec::new()).await.status(), 200);
    let open = session(&emulator, "open").await;
    assert_eq!(put(&open, "bytes 0-*/*", b"day".to_vec()).await.status(), 200);
    let plain = session(&emulator, "plain").await;
    assert_eq!(http().put(&plain).body("day").send().await.unwrap().status(), 200);
    assert_eq!(emulator.storage().read("open").unwrap(), emulator.storage().read("plain").unwrap());
    let gap = session(&emulator, "gap").await;
    assert_eq!(put(&gap, "bytes 5-7/8", b"day".to_vec()).await.status(), 400);
    assert_eq!(http().delete(&gap).send().await.unwrap().status(), 499);
    assert_eq!(put(&gap, "bytes */*", Vec::new()).await.status(), 404);
    let nowhere =
        emulator.url().join("upload/storage/v1/b/nowhere/o?uploadType=resumable&name=a").unwrap();
    assert_eq!(http().post(nowhere).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn a_resumable_upload_over_a_held_object_is_refused_at_its_end() {
    let emulator = start().await;
    emulator.storage().put("a", "").unwrap();
    emulator.storage().bucket(BUCKET).edit("a", |to| to.temporary_hold = true).unwrap();
    let session = session(&emulator, "a").await;
    assert_eq!(put(&session, "bytes 0-2/3", b"day".to_vec()).await.status(), 403);
}
