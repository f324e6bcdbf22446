//! Nobody without a valid token gets in, by either protocol.

use brigade_proto::v1::{PollRequest, poller_service_client::PollerServiceClient};
use serde_json::json;
use tonic::{Code, Request, metadata::MetadataValue, transport::Channel};

use crate::harness::{CALLER, STRANGER, System, accepting};

async fn system() -> System {
    let system = System::with_processor(accepting()).await;
    system.upload("a", "x");
    system
}

/// Calls `Poll` with exactly this authorization header.
async fn poll(system: &System, authorization: Option<&str>) -> Result<(), Code> {
    let channel = Channel::from_shared(system.poller.to_string())
        .unwrap()
        .connect_lazy();
    let mut request = Request::new(PollRequest {
        dry_run: true,
        ..PollRequest::default()
    });
    if let Some(value) = authorization {
        request
            .metadata_mut()
            .insert("authorization", MetadataValue::try_from(value).unwrap());
    }
    let answer = PollerServiceClient::new(channel).poll(request).await;
    answer.map(|_| ()).map_err(|status| status.code())
}

fn audience(system: &System) -> String {
    brigade_client::identity::origin(&system.poller)
}

/// A token of the allowed caller, with some of its claims changed.
fn token(system: &System, change: &serde_json::Value) -> String {
    let mut claims = system.emulator.identity().claims(CALLER, &audience(system));
    claims["email"] = json!(CALLER);
    claims["email_verified"] = json!(true);
    for (name, value) in change.as_object().unwrap() {
        claims[name] = value.clone();
    }
    format!(
        "Bearer {}",
        system.emulator.identity().sign(&claims, &json!({}))
    )
}

#[tokio::test]
async fn a_valid_token_of_an_allowed_caller_gets_in() {
    let system = system().await;
    assert_eq!(
        poll(&system, Some(&token(&system, &json!({})))).await,
        Ok(())
    );
}

#[tokio::test]
async fn no_token_is_unauthenticated() {
    assert_eq!(
        poll(&system().await, None).await,
        Err(Code::Unauthenticated)
    );
}

#[tokio::test]
async fn a_bad_signature_is_unauthenticated() {
    let system = system().await;
    let good = token(&system, &json!({}));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let other = if signature.starts_with('A') { "B" } else { "A" };
    let forged = format!("{signed}.{other}{}", &signature[1..]);
    assert_eq!(
        poll(&system, Some(&forged)).await,
        Err(Code::Unauthenticated)
    );
}

#[tokio::test]
async fn a_token_for_another_audience_is_unauthenticated() {
    let system = system().await;
    let replayed = token(
        &system,
        &json!({ "aud": brigade_client::identity::origin(&system.worker) }),
    );
    assert_eq!(
        poll(&system, Some(&replayed)).await,
        Err(Code::Unauthenticated)
    );
}

#[tokio::test]
async fn an_expired_token_is_unauthenticated() {
    let system = system().await;
    let expired = token(
        &system,
        &json!({ "iat": 1_700_000_000, "exp": 1_700_003_600 }),
    );
    assert_eq!(
        poll(&system, Some(&expired)).await,
        Err(Code::Unauthenticated)
    );
}

#[tokio::test]
async fn an_unknown_caller_is_denied() {
    let system = system().await;
    let stranger = token(&system, &json!({ "email": STRANGER }));
    assert_eq!(
        poll(&system, Some(&stranger)).await,
        Err(Code::PermissionDenied)
    );
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
    assert!(
        refused.headers()["www-authenticate"]
            .to_str()
            .unwrap()
            .starts_with("Bearer")
    );
    assert_eq!(
        post(Some(token(&system, &json!({ "email": STRANGER }))))
            .await
            .status(),
        403
    );
    assert_eq!(system.names(), ["incoming/a"]);
    assert_eq!(post(Some(token(&system, &json!({})))).await.status(), 200);
    assert_eq!(system.names(), ["processed/a"]);
}
