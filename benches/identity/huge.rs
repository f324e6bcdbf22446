//! Refusing a token of 1 MiB.

use std::time::Instant;

use tokio::runtime::Runtime;

use crate::{
    Figure,
    google::{AUDIENCE, CALLER, Google, bearer},
    rounds::{Scale, nanos_each, paired},
};

pub(crate) fn figure(scale: &Scale, runtime: &Runtime, google: &Google) -> Figure {
    let guard = runtime.block_on(google.guard());
    let good = google.issuer().mint(CALLER, AUDIENCE);
    let huge = bearer(&format!("{good}{}", "A".repeat(1 << 20)));
    let forged = bearer(&format!("{good}A"));
    let calls = scale.calls.min(200);
    let refuse = |headers: &http::HeaderMap| {
        runtime.block_on(async {
            let began = Instant::now();
            for _ in 0..calls {
                guard.check(headers).await.unwrap_err();
            }
            nanos_each(began.elapsed(), calls)
        })
    };
    let pair = paired(scale.rounds, || refuse(&huge), || refuse(&forged));
    let (long, short) = pair.medians();
    println!(
        "refused: {long:.0} ns for 1 MiB, {short:.0} ns for a forged token of the usual length"
    );
    Figure {
        what: "refusing a token of 1 MiB takes",
        measured: format!("{:.3} ms", long / 1e6),
        goal: "< 1 ms",
        met: long < 1e6,
    }
}
