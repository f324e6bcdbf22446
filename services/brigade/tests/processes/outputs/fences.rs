//! A file that is uploaded again while its first version is at work.

use std::{net::SocketAddr, time::Duration};

use serde_json::json;

use super::{Running, map};
use crate::google::{CALLER, POLLER_AUDIENCE};

/// Announces an object, as a storage notification does.
async fn announce(running: &Running, poller: SocketAddr, name: &str, generation: i64) -> u16 {
    let token = running.google.emulator.identity().mint(CALLER, POLLER_AUDIENCE);
    let attributes = json!({
        "eventType": "OBJECT_FINALIZE",
        "payloadFormat": "NONE",
        "bucketId": "data",
        "objectId": name,
        "objectGeneration": generation.to_string(),
    });
    let push = json!({
        "message": {"attributes": attributes, "messageId": "1"},
        "subscription": "projects/p/subscriptions/s",
    });
    let request = reqwest::Client::new()
        .post(format!("http://{poller}/events"))
        .header("content-type", "application/json")
        .bearer_auth(token)
        .body(push.to_string());
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_ends_after_its_file_was_replaced_and_processed_replaces_no_output() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    // The old content waits; the new one does not.
    let program = format!(
        r#"sh -c 'cp "$1" "$OUTPUT_DIR/out"; read line < "$1"; case $line in old*) echo > {0}/begun; until [ -e {0}/go ]; do sleep 0.05; done;; esac' sh {{}}"#,
        at.display()
    );
    let running = Running::program(&program).await;
    running.put("in/x.csv", "old\n");
    let newer = async {
        while !at.join("begun").exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let generation = running.put("in/x.csv", "new\n");
        let status = announce(&running, running.address, "in/x.csv", generation).await;
        assert!((200..300).contains(&status), "{status}: {}", running.poller.log());
        assert_eq!(running.contents("features/"), map(&[("x.csv/out", "new\n")]));
        assert_eq!(running.contents("processed/"), map(&[("x.csv", "new\n")]));
        std::fs::write(at.join("go"), "").unwrap();
        generation
    };
    let (superseded, generation) = tokio::join!(running.poll("superseded"), newer);
    assert_eq!(superseded, 1, "{}", running.poller.log());
    assert_eq!(running.contents("features/"), map(&[("x.csv/out", "new\n")]));
    assert_eq!(running.contents("processed/"), map(&[("x.csv", "new\n")]));
    assert_eq!(running.names("in/").len(), 0);
    let source = format!("gs://data/in/x.csv#{generation}");
    assert_eq!(running.mark("features/x.csv/out", "brigade-source"), Some(source));
}
