//! A broken credential never empties an inbox.

use std::sync::Arc;

use async_trait::async_trait;
use brigade_client::identity::{Cached, Error, IdToken, MetadataServer, TokenSource};
use tonic::Code;

use crate::harness::{STRANGER, System};

#[derive(Debug)]
struct Broken(Error);

#[async_trait]
impl TokenSource for Broken {
    async fn fetch(&self, _audience: &str) -> Result<IdToken, Error> {
        Err(self.0.clone())
    }

    fn describe(&self) -> String {
        "a broken source".into()
    }
}

/// Nothing moves when tokens fail like this.
async fn stops(error: Error, code: Code, words: &str) {
    let system = System::with_identity(|_| Arc::new(Broken(error))).await;
    system.upload("a", "x");
    system.poll_fails(code, words).await;
    assert_eq!(system.names(), ["incoming/a"]);
}

#[tokio::test]
async fn no_token_at_all_stops_the_poll_and_says_what_was_tried() {
    let tried = "nothing answered".to_owned();
    let error = Error::NoSource { tried };
    stops(error, Code::FailedPrecondition, "nothing answered").await;
}

#[tokio::test]
async fn a_token_source_that_is_away_ends_the_poll_for_now() {
    let error =
        Error::Away { source_name: "the metadata server".into(), why: "no answer in time".into() };
    stops(error, Code::Unavailable, "no answer in time").await;
}

#[tokio::test]
async fn a_worker_that_does_not_know_us_stops_the_poll() {
    let system = System::with_identity(|emulator| {
        let server = MetadataServer::new(Some(emulator.url().authority())).for_account(STRANGER);
        Arc::new(Cached::new(server))
    })
    .await;
    system.upload_all(&["a", "b", "c"]);
    let setting = "BRIGADE_ALLOWED_CALLERS";
    system.poll_fails(Code::FailedPrecondition, setting).await;
    assert_eq!(system.names(), ["incoming/a", "incoming/b", "incoming/c"]);
}
