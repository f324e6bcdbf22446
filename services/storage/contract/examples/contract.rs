//! Holds whatever storage the environment points at to the contract: the real Cloud Storage, or an emulator.
//!
//! ```sh
//! cargo run -p brigade-contract --example contract -- BUCKET OTHER_BUCKET [VERSIONED_BUCKET]
//! ```
//!
//! The buckets must exist, and hold nothing that matters: objects are created and deleted in them. With a third one, which
//! keeps versions, the promises about noncurrent versions are held too.

#![expect(clippy::print_stdout, reason = "the user reads its results")]

use std::{env, process::ExitCode, sync::Arc};

use brigade_contract::{self as contract, Fixture};
use brigade_storage::gcs::{GcsSettings, GcsStore};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [bucket, other, versioned @ ..] = &arguments[..] else {
        println!("usage: contract BUCKET OTHER_BUCKET [VERSIONED_BUCKET]");
        return ExitCode::from(64);
    };
    let settings = GcsSettings::from_env(|name| env::var(name).ok());
    let store = match GcsStore::connect(settings).await {
        Ok(store) => store,
        Err(error) => {
            println!("{error}");
            return ExitCode::from(77);
        }
    };
    let run = format!("contract-{}", jiff::Timestamp::now().as_millisecond());
    let mut fixture = Fixture::new(Arc::new(store), bucket, other).below(&run);
    if let Some(versioned) = versioned.first() {
        fixture = fixture.with_versioned(versioned);
    }
    match contract::all(&fixture).await {
        Ok(kept) => {
            println!("{kept} promises kept");
            ExitCode::SUCCESS
        }
        Err(broken) => {
            for (promise, how) in &broken {
                println!("{promise}: {how}");
            }
            println!("{} promises broken", broken.len());
            ExitCode::FAILURE
        }
    }
}
