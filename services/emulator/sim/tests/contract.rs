//! The simulation keeps every promise of the port.

#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

use std::sync::Arc;

use brigade_contract::{self as contract, Fixture};
use brigade_sim::Sim;

macro_rules! tests {
    ($($module:ident { $($promise:ident)* })*) => { $($(
        #[tokio::test(start_paused = true)]
        async fn $promise() {
            contract::$promise(&fixture(simulation())).await.unwrap();
        }
    )*)* };
}

brigade_contract::promises!(tests);

fn simulation() -> Sim {
    Sim::new().with_bucket("bucket").with_bucket("other").with_versioned_bucket("versioned")
}

fn fixture(sim: Sim) -> Fixture {
    let uploads = sim.clone();
    Fixture::new(Arc::new(sim), "bucket", "other").with_versioned("versioned").with_upload(
        move |bucket, name, stored| {
            let stored = *stored;
            uploads.upload(bucket, name, "x").unwrap();
            let edit = uploads.edit(bucket, name, move |to| {
                to.content_encoding = stored.content_encoding.into();
                to.cache_control = stored.cache_control.into();
                to.storage_class = stored.storage_class.into();
                to.custom_time = Some(stored.custom_time.into());
            });
            edit.unwrap();
        },
    )
}

#[tokio::test(start_paused = true)]
async fn all_promises_are_kept_side_by_side_in_one_bucket() {
    let kept = contract::all(&fixture(simulation())).await.unwrap();
    assert!(kept >= 50, "only {kept} promises");
}

#[tokio::test(start_paused = true)]
async fn all_promises_are_kept_by_copies_in_many_steps() {
    let sim = simulation().with_rewrite_step(1);
    contract::all(&fixture(sim)).await.unwrap();
}
