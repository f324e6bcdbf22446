//! A caller without a valid token does not get in, by either protocol.

use brigade_proto::v1::{PollRequest, poller_service_client::PollerServiceClient};
use serde_json::json;
use tonic::{Code, Request, metadata::MetadataValue, transport::Endpoint};

use crate::harness::{CALLER, STRANGER, System, accepting};

async fn system() -> System {
    let system = System::with_processor(accepting()).await;
    system.upload("a", "x");
    system
}

/// Calls `Poll` with exactly this authorization header.
async fn poll(system: &System, authorization: Option<&str>) -> Result<(), Code> {
    let endpoint = Endpoint::from_shared(system.poller.to_string()).unwrap();
    let channel = endpoint.connect_lazy();
    let mut request = Request::new(PollRequest { dry_run: true, ..PollRequest::default() });
    if let Some(value) = authorization {
        request.metadata_mut().insert("authorization", MetadataValue::try_from(value).unwrap());
    }
    let answer = PollerServiceClient::new(channel).poll(request).await;
    answer.map(|_| ()).map_err(|status| status.code())
}

/// A token of the allowed caller, with some of its claims changed.
fn token(system: &System, change: &serde_json::Value) -> String {
    let issuer = system.emulator.identity();
    let audience = brigade_client::identity::origin(&system.poller);
    let mut claims = issuer.claims(CALLER, &audience);
    claims["email"] = json!(CALLER);
    claims["email_verified"] = json!(true);
    for (name, value) in change.as_object().unwrap() {
        claims[name] = value.clone();
    }
    format!("Bearer {}", issuer.sign(&claims, &json!({})))
}

#[tokio::test]
async fn only_a_valid_token_of_an_allowed_caller_gets_in() {
    let system = system().await;
    let good = token(&system, &json!({}));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let other = if signature.starts_with('A') { "B" } else { "A" };
    let forged = format!("{signed}.{other}{}", &signature[1..]);
    let worker = brigade_client::identity::origin(&system.worker);
    let changed = |claims| Some(token(&system, &claims));
    let unauthenticated = Err(Code::Unauthenticated);
    for (case, token, expected) in [
        ("valid", Some(good.clone()), Ok(())),
        ("none", None, unauthenticated),
        ("bad signature", Some(forged), unauthenticated),
        ("other audience", changed(json!({ "aud": worker })), unauthenticated),
        (
            "expired",
            changed(json!({ "iat": 1_700_000_000, "exp": 1_700_003_600 })),
            unauthenticated,
        ),
        ("unknown caller", changed(json!({ "email": STRANGER })), Err(Code::PermissionDenied)),
    ] {
        assert_eq!(poll(&system, token.as_deref()).await, expected, "{case}");
    }
}

#[tokio::test]
async fn http_callers_meet_the_same_guard() {
    let system = system().await;
    let client = reqwest::Client::new();
    let post = async |authorization: Option<String>| {
        let mut request = client.post(system.poller.join("poll").unwrap());
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        request.send().await.unwrap()
    };
    let refused = post(None).await;
    assert_eq!(refused.status(), 401);
    let challenge = refused.headers()["www-authenticate"].to_str();
    assert!(challenge.unwrap().starts_with("Bearer"));
    let stranger = token(&system, &json!({ "email": STRANGER }));
    assert_eq!(post(Some(stranger)).await.status(), 403);
    assert_eq!(system.names(), ["incoming/a"]);
    assert_eq!(post(Some(token(&system, &json!({})))).await.status(), 200);
    assert_eq!(system.names(), ["processed/a"]);
}
