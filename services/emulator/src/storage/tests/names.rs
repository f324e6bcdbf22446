use tonic::Code;

use super::*;

/// Names that are legal and odd.
fn odd_names() -> Vec<String> {
    let mut names: Vec<String> = [
        "a/../b",
        "./a",
        "//",
        "/a",
        "a//",
        "%2F",
        "%2e%2e",
        "a?b",
        "a#123",
        "a*[x]?",
        "\\",
        "\t",
        "\u{1b}[31m",
        "\u{7f}",
        "\u{85}",
        "\u{2028}",
        "\u{202e}gpj",
        "a\0b",
        "é",
        "e\u{301}",
        "\u{ffff}",
        "👩\u{200d}🔬",
        "dir/",
        "-rf",
        "a b+c&d=e",
    ]
    .map(str::to_owned)
    .into();
    names.push("x".repeat(1_024));
    names.push("é".repeat(512));
    names
}

#[tokio::test]
async fn odd_names_go_byte_for_byte_through_both_apis() {
    let emulator = start().await;
    let mut client = grpc(&emulator).await;
    let mut want = odd_names();
    for name in &want {
        let url = upload_url(&emulator, "uploadType=media");
        let upload = http().post(url).query(&[("name", name)]).body(name.clone());
        let stored: serde_json::Value = upload.send().await.unwrap().json().await.unwrap();
        assert_eq!(stored["name"], **name);

        let path = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
        let content = http()
            .get(url_of_media(&emulator, &path.to_string()))
            .send()
            .await
            .unwrap();
        assert_eq!(content.text().await.unwrap(), **name, "{name:?}");
        assert_eq!(get(&mut client, name).await.unwrap().name, *name);
    }
    want.sort_unstable();
    assert_eq!(list(&mut client, "").await, want);
    for name in &want {
        let generation = get(&mut client, name).await.unwrap().generation;
        let to = format!("{}~", &name.chars().take(500).collect::<String>());
        client
            .move_object(pinned_move(name, &to, generation))
            .await
            .unwrap();
        assert_eq!(emulator.storage().read(&to).unwrap().unwrap(), **name);
    }
}

fn url_of_media(emulator: &Emulator, path: &str) -> String {
    url(emulator, &format!("/o/{path}?alt=media"))
}

#[tokio::test]
async fn illegal_names_are_refused_everywhere() {
    let emulator = start().await;
    let mut client = grpc(&emulator).await;
    let generation = emulator.storage().put("a", "").unwrap();
    let long = "x".repeat(1_025);
    for name in [".", "..", "a\nb", "a\rb", &long, ""] {
        let moved = client
            .move_object(pinned_move("a", name, generation))
            .await
            .unwrap_err();
        assert_eq!(moved.code(), Code::InvalidArgument, "{name:?}");
        assert_eq!(
            get(&mut client, name).await.unwrap_err().code(),
            Code::InvalidArgument,
            "{name:?}"
        );
        let upload = http()
            .post(upload_url(&emulator, "uploadType=media"))
            .query(&[("name", name)]);
        assert_eq!(upload.send().await.unwrap().status(), 400, "{name:?}");
    }
    assert_eq!(list(&mut client, "").await, ["a"]);
}
