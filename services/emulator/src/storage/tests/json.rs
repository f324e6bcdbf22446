use serde_json::{Value, json};

use super::*;

async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, response.json().await.unwrap_or(Value::Null))
}

#[tokio::test]
async fn an_object_reads_as_google_writes_it() {
    let emulator = start().await;
    let generation = emulator.storage().put("dir/a.csv", "day\n").unwrap();
    let (status, object) = answer(http().get(url(&emulator, "/o/dir%2Fa.csv"))).await;
    assert_eq!(status, 200);
    assert_eq!(object["kind"], "storage#object");
    assert_eq!(object["name"], "dir/a.csv");
    assert_eq!(object["generation"], generation.to_string());
    assert_eq!(object["size"], "4");
    assert_eq!(object["md5Hash"], md5_of(b"day\n"));
    assert_eq!(object["contentType"], Value::Null);
    assert!(object["timeCreated"].as_str().unwrap().ends_with('Z'));
}

fn md5_of(content: &[u8]) -> String {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    BASE64_STANDARD.encode(md5::compute(content).0)
}

#[tokio::test]
async fn listings_have_pages_and_prefixes() {
    let emulator = start().await;
    for name in ["a", "d/1", "d/2", "e"] {
        emulator.storage().put(name, "").unwrap();
    }
    let (_, page) = answer(http().get(url(&emulator, "/o?delimiter=/&maxResults=2"))).await;
    assert_eq!((&page["items"][0]["name"], &page["prefixes"]), (&json!("a"), &json!(["d/"])));
    let token = page["nextPageToken"].as_str().unwrap();
    let (_, page) =
        answer(http().get(url(&emulator, &format!("/o?delimiter=/&pageToken={token}")))).await;
    assert_eq!(page["items"][0]["name"], "e");
    assert_eq!(page["nextPageToken"], Value::Null);
    let (status, _) = answer(http().get(url(&emulator, "/o?matchGlob=*.csv"))).await;
    assert_eq!(status, 501);
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_an_update_replaces_all() {
    let emulator = start().await;
    emulator.storage().put("a", "").unwrap();
    let patch = json!({"metadata": {"k": "v", "gone": null}, "contentType": "text/csv"});
    let (_, object) =
        answer(http().patch(url(&emulator, "/o/a?ifMetagenerationMatch=1")).json(&patch)).await;
    assert_eq!(
        (&object["metadata"], &object["contentType"]),
        (&json!({"k": "v"}), &json!("text/csv"))
    );
    let (status, error) =
        answer(http().patch(url(&emulator, "/o/a?ifMetagenerationMatch=1")).json(&patch)).await;
    assert_eq!((status, &error["error"]["errors"][0]["reason"]), (412, &json!("conditionNotMet")));
    let (status, _) =
        answer(http().patch(url(&emulator, "/o/a")).json(&json!({"metadata": {"k": 1}}))).await;
    assert_eq!(status, 400);
    let (_, object) =
        answer(http().put(url(&emulator, "/o/a")).json(&json!({"contentLanguage": "en"}))).await;
    assert_eq!((&object["metadata"], &object["contentLanguage"]), (&Value::Null, &json!("en")));
    assert_eq!(object["metageneration"], "3");
}

#[tokio::test]
async fn objects_are_copied_rewritten_moved_and_deleted() {
    let emulator = start().await;
    emulator.storage().set_rewrite_calls(2);
    let generation = emulator.storage().put("d/a", "content").unwrap();
    let (_, copy) =
        answer(http().post(url(&emulator, "/o/d%2Fa/copyTo/b/other-bucket/o/c%2Fa"))).await;
    assert_eq!((&copy["bucket"], &copy["name"]), (&json!("other-bucket"), &json!("c/a")));

    let rewrite = url(&emulator, "/o/d%2Fa/rewriteTo/b/some-bucket/o/r?ifGenerationMatch=0");
    let (_, step) = answer(http().post(&rewrite)).await;
    assert_eq!(step["done"], false);
    let token = step["rewriteToken"].as_str().unwrap();
    let (_, step) = answer(http().post(format!("{rewrite}&rewriteToken={token}"))).await;
    assert_eq!((&step["done"], &step["resource"]["name"]), (&json!(true), &json!("r")));

    let to =
        format!("/o/d%2Fa/moveTo/o/m?ifGenerationMatch=0&ifSourceGenerationMatch={generation}");
    let other_metadata = format!("{to}&ifSourceMetagenerationMatch=9");
    let (status, _) = answer(http().post(url(&emulator, &other_metadata))).await;
    assert_eq!(status, 412);
    let (status, moved) = answer(http().post(url(&emulator, &to))).await;
    assert_eq!((status, &moved["name"]), (200, &json!("m")));
    let (status, _) = answer(http().delete(url(&emulator, "/o/m?ifGenerationMatch=1"))).await;
    assert_eq!(status, 412);
    let (status, _) = answer(http().delete(url(&emulator, "/o/m"))).await;
    assert_eq!(status, 204);
    let (status, error) = answer(http().delete(url(&emulator, "/o/m"))).await;
    assert_eq!(
        (status, &error["error"]["message"]),
        (404, &json!("No such object: some-bucket/m"))
    );
}

#[tokio::test]
async fn downloads_take_ranges_and_pins() {
    let emulator = start().await;
    let generation = emulator.storage().put("a", "0123456789").unwrap();
    let media = |query: String| http().get(url(&emulator, &format!("/o/a?alt=media{query}")));
    let whole = media(format!("&generation={generation}")).send().await.unwrap();
    assert_eq!(whole.status(), 200);
    assert_eq!(whole.headers()["x-goog-generation"], generation.to_string().as_str());
    let hash = whole.headers()["x-goog-hash"].to_str().unwrap().to_owned();
    assert!(hash.starts_with("crc32c=") && hash.contains(",md5="), "{hash}");
    assert_eq!(whole.text().await.unwrap(), "0123456789");

    let part = media(String::new()).header("range", "bytes=2-4").send().await.unwrap();
    assert_eq!(
        (part.status().as_u16(), part.headers()["content-range"].to_str().unwrap()),
        (206, "bytes 2-4/10")
    );
    assert_eq!(part.text().await.unwrap(), "234");
    let behind = media(String::new()).header("range", "bytes=10-").send().await.unwrap();
    assert_eq!(behind.status(), 416);
    let other = media(format!("&generation={}", generation + 1)).send().await.unwrap();
    assert_eq!(other.status(), 404);
    assert_eq!(other.text().await.unwrap(), "No such object: some-bucket/a");
    let download = emulator.url().join("download/storage/v1/b/some-bucket/o/a").unwrap();
    assert_eq!(http().get(download).send().await.unwrap().text().await.unwrap(), "0123456789");
}

#[tokio::test]
async fn buckets_live_and_die() {
    let emulator = start().await;
    let buckets = emulator.url().join("storage/v1/b?project=p").unwrap();
    let third = emulator.url().join("storage/v1/b/third-bucket").unwrap();
    let body = json!({"name": "third-bucket"});
    let (status, made) = answer(http().post(buckets.clone()).json(&body)).await;
    assert_eq!((status, &made["kind"]), (200, &json!("storage#bucket")));
    let (status, _) = answer(http().post(buckets.clone()).json(&body)).await;
    assert_eq!(status, 409);
    let (_, all) = answer(http().get(buckets)).await;
    assert_eq!(all["items"].as_array().unwrap().len(), 3);
    assert_eq!(answer(http().delete(third.clone())).await.0, 204);
    let (status, error) = answer(http().get(third)).await;
    assert_eq!(
        (status, &error["error"]["message"]),
        (404, &json!("The specified bucket does not exist."))
    );
}
