//! What the guard's process keeps of very many tokens, good ones sent again and bad ones: nothing.

use std::fs;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use brigade_runtime::guard::Guard;
use tokio::runtime::Runtime;

use crate::{
    Figure,
    google::{AUDIENCE, CALLER, Google, bearer},
    rounds::Scale,
};

/// Tokens before the first look at the memory, so that what is made once is made.
const FIRST: usize = 2_000;

pub(crate) fn figure(scale: &Scale, runtime: &Runtime, google: &Google) -> Figure {
    let guard = runtime.block_on(google.guard());
    let good = google.issuer().mint(CALLER, AUDIENCE);
    runtime.block_on(send(&guard, &good, FIRST));
    let before = resident();
    runtime.block_on(send(&guard, &good, scale.tokens));
    let more = resident().saturating_sub(before);
    println!(
        "one token {0} times and {0} bad ones: {more} KiB more, from {before} KiB",
        scale.tokens
    );
    Figure {
        what: "what is kept of a million replays and a million bad tokens",
        measured: format!("{more} KiB"),
        goal: "≤ 512 KiB",
        met: more <= 512,
    }
}

/// Each bad token has a signature of its own, as long as a good one.
async fn send(guard: &Guard, good: &str, count: usize) {
    let known = bearer(good);
    let (signed, _) = good.rsplit_once('.').unwrap();
    for number in 0..count {
        guard.check(&known).await.unwrap();
        let mut signature = [0x5a; 256];
        signature[..8].copy_from_slice(&number.to_be_bytes());
        let bad = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
        guard.check(&bearer(&bad)).await.unwrap_err();
    }
}

/// `VmRSS`, in KiB (proc(5)). Linux has it; elsewhere the figure is 0.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}
