//! Any bytes as a token: nothing panics, and no caller is let in.
//!
//! The issuer has no keys here, so that a token of any signature must be refused. In `platform` mode a token whose
//! signature was removed is believed as far as its claims go: those are reached too, and no list of cases has them all.

#![no_main]

use std::sync::OnceLock;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use brigade_runtime::guard::{GOOGLE_ISSUERS, Guard, GuardSettings, Mode};
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use libfuzzer_sys::fuzz_target;
use tokio::runtime::{Builder, Runtime};

struct Guards {
    runtime: Runtime,
    verify: Guard,
    platform: Guard,
}

fn guards() -> &'static Guards {
    static GUARDS: OnceLock<Guards> = OnceLock::new();
    GUARDS.get_or_init(|| {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let platform = guard(Mode::Platform);
        runtime.block_on(platform.verify_front_end(None)).unwrap();
        Guards {
            verify: guard(Mode::Verify),
            runtime,
            platform,
        }
    })
}

fn guard(mode: Mode) -> Guard {
    Guard::new(GuardSettings {
        mode,
        audiences: vec!["https://worker.example".to_owned()],
        allowed_callers: vec!["poller@project.iam.gserviceaccount.com".to_owned()],
        rights: Vec::new(),
        issuers: GOOGLE_ISSUERS.map(str::to_owned).to_vec(),
        // Nothing listens there.
        jwks_url: "http://127.0.0.1:1/".parse().unwrap(),
    })
    .unwrap()
}

fn refused(value: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(value) else {
        return;
    };
    let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
    let guards = guards();
    guards.runtime.block_on(async {
        for guard in [&guards.verify, &guards.platform] {
            assert!(guard.check(&headers).await.is_err(), "a forged token is accepted");
        }
    });
}

fuzz_target!(|data: &[u8]| {
    refused(data);
    refused(&[b"Bearer ", data].concat());
    // The bytes as what a token is made of: a header and claims.
    let at = data.iter().position(|byte| *byte == b'\n');
    let (header, claims) = data.split_at(at.unwrap_or(data.len() / 2));
    let encode = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
    let plain = encode(br#"{"alg":"RS256","kid":"a"}"#);
    for (header, signature) in [
        (encode(header), "AAAA"),
        (encode(header), "SIGNATURE_REMOVED_BY_GOOGLE"),
        (plain, "SIGNATURE_REMOVED_BY_GOOGLE"),
    ] {
        let token = format!("Bearer {header}.{}.{signature}", encode(claims));
        refused(token.as_bytes());
    }
});
