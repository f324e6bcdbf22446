//! What is written on a settled file, and how it is stored.

use super::Running;

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_asked_to_wait_and_then_accepted_says_nothing_of_the_wait() {
    let program = r#"sh -c '[ "$OBJECT_ATTEMPT" = 2 ] || { echo loading >&2; exit 75; }' sh {}"#;
    let running = Running::program(program).await;
    running.put("in/later", "x");
    running.google.drain(running.address, &running.poller, || {}).await;
    let marks = running.object("processed/later").attributes.metadata;
    for key in ["brigade-reason", "brigade-retry-at"] {
        assert_eq!(marks.get(key), None, "{marks:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_file_bears_its_code_its_programs_end_and_a_short_kind() {
    let program = r#"sh -c 'read line < "$1"; echo "row $line: not a number" >&2; case $line in 7*) kill -9 $$;; esac; exit 3' sh {}"#;
    let running = Running::program(program).await;
    for name in ["5", "6", "7"] {
        running.put(&format!("in/{name}"), &format!("{name}\n"));
    }
    assert_eq!(running.poll("failed").await, 3, "{}", running.poller.log());
    let marks = |name: &str| running.object(name).attributes.metadata;
    let (five, six, seven) = (marks("failed/5"), marks("failed/6"), marks("failed/7"));
    assert_eq!(five["brigade-reason"], "row 5: not a number");
    assert_eq!(five["brigade-kind"], six["brigade-kind"], "{five:?} {six:?}");
    assert!(!five["brigade-code"].is_empty() && five["brigade-exit"].contains('3'), "{five:?}");
    assert_ne!(five["brigade-exit"], seven["brigade-exit"], "{seven:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_uploaded_with_an_encoding_reaches_the_program_as_such() {
    let program = r#"sh -c 'printf %s "$OBJECT_JSON" > "$OUTPUT_DIR/object.json"' sh {}"#;
    let running = Running::program(program).await;
    let request = reqwest::Client::new()
        .post(format!("{}upload/storage/v1/b/data/o", running.google.emulator.url()))
        .query(&[("uploadType", "media"), ("name", "in/a.csv"), ("contentEncoding", "gzip")])
        .body("packed");
    let answer = request.send().await.unwrap();
    assert!(answer.status().is_success(), "{answer:?}");
    assert_eq!(running.poll("processed").await, 1, "{}", running.poller.log());
    let object: serde_json::Value =
        serde_json::from_str(&running.contents("features/")["a.csv/object.json"]).unwrap();
    assert_eq!(object["contentEncoding"], "gzip", "{object}");
    assert_eq!(running.object("processed/a.csv").attributes.content_encoding, "gzip");
}
