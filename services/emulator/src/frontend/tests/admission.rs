//! Which header is checked, and what becomes of it.

use http::StatusCode;
use serde_json::json;

use super::*;

/// The token with the marker in place of its signature.
fn removed(bearer: &str) -> String {
    let (kept, _) = bearer.rsplit_once('.').unwrap();
    format!("{kept}.SIGNATURE_REMOVED_BY_GOOGLE")
}

#[tokio::test]
async fn a_lone_authorization_is_checked_and_loses_its_signature() {
    let shape = private().await;
    let bearer = shape.bearer(POLLER);
    let heard = shape.heard(&[("authorization", &bearer)]).await;
    assert_eq!(heard["authorization"], removed(&bearer));
    assert!(!heard.contains_key("x-serverless-authorization"));
}

#[tokio::test]
async fn of_two_headers_the_serverless_one_is_checked_and_the_other_arrives_whole() {
    let shape = private().await;
    let bearer = shape.bearer(POLLER);
    let both = [("authorization", bearer.as_str()), ("x-serverless-authorization", &bearer)];
    let heard = shape.heard(&both).await;
    assert_eq!(heard["authorization"], bearer);
    assert_eq!(heard["x-serverless-authorization"], removed(&bearer));
}

#[tokio::test]
async fn the_other_header_is_not_checked() {
    let shape = private().await;
    let bearer = shape.bearer(POLLER);
    let headers =
        [("authorization", "Basic not even a token"), ("x-serverless-authorization", &bearer)];
    let heard = shape.heard(&headers).await;
    assert_eq!(heard["authorization"], "Basic not even a token");
}

#[tokio::test]
async fn a_good_authorization_does_not_help_a_bad_serverless_header() {
    let shape = private().await;
    let bearer = shape.bearer(POLLER);
    for bad in [removed(&bearer), String::new(), "Bearer x.y.z".into()] {
        let headers = [("authorization", bearer.as_str()), ("x-serverless-authorization", &bad)];
        assert_eq!(shape.get(&headers).await.status(), StatusCode::UNAUTHORIZED);
    }
    assert!(shape.container.heard().is_none());
}

#[tokio::test]
async fn bearer_is_read_in_any_case() {
    let shape = private().await;
    let bearer = shape.bearer(POLLER).replacen("Bearer", "bEARER", 1);
    shape.heard(&[("authorization", &bearer)]).await;
}

#[tokio::test]
async fn a_custom_audience_is_one_and_another_services_is_not() {
    let shape = shape(|service| {
        service.invoker(POLLER).audience("https://worker.example").audience("a name")
    })
    .await;
    for (audience, status) in [
        ("https://worker.example", StatusCode::OK),
        ("a name", StatusCode::OK),
        ("https://worker.example/poll", StatusCode::UNAUTHORIZED),
        ("https://poller.example", StatusCode::UNAUTHORIZED),
    ] {
        let token = shape.google.identity().mint(POLLER, audience);
        let bearer = format!("Bearer {token}");
        let answer = shape.get(&[("authorization", &bearer)]).await;
        assert_eq!(answer.status(), status, "{audience}");
    }
}

#[tokio::test]
async fn tokens_that_prove_nothing_are_refused() {
    let shape = private().await;
    let issuer = shape.google.identity();
    let changed = |claim: &str, value: serde_json::Value| {
        let mut claims = issuer.claims(POLLER, &shape.origin());
        claims[claim] = value;
        issuer.sign(&claims, &json!({}))
    };
    let stranger = Emulator::builder().bucket("some-bucket");
    let stranger = stranger.start(loopback().await).await.unwrap();
    let unsigned = removed(&shape.bearer(POLLER)).replacen("Bearer ", "", 1);
    for (what, token) in [
        ("expired", changed("exp", json!(1_700_000_000))),
        ("no end", changed("exp", json!(null))),
        ("issuer", changed("iss", json!("https://evil.example"))),
        ("audience", changed("aud", json!(null))),
        ("no subject", changed("sub", json!(null))),
        ("keys", stranger.identity().mint(POLLER, &shape.origin())),
        ("unsigned", unsigned),
        ("garbage", "garbage".into()),
        ("empty", String::new()),
    ] {
        let bearer = format!("Bearer {token}");
        let answer = shape.get(&[("authorization", &bearer)]).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{what}");
    }
    let unverified = changed("email_verified", json!(false));
    let bearer = format!("Bearer {unverified}");
    let answer = shape.get(&[("authorization", &bearer)]).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert!(shape.container.heard().is_none());
}

#[tokio::test]
async fn a_token_without_an_email_names_its_account_by_number() {
    let shape = private().await;
    let mut claims = shape.google.identity().claims(POLLER, &shape.origin());
    claims.as_object_mut().unwrap().remove("email");
    let token = shape.google.identity().sign(&claims, &json!({}));
    shape.heard(&[("authorization", &format!("Bearer {token}"))]).await;
}

#[tokio::test]
async fn a_public_service_hears_everybody_and_nothing_is_touched() {
    let shape = shape(Service::public).await;
    assert!(!shape.heard(&[]).await.contains_key("authorization"));
    let forged = removed(&shape.bearer(STRANGER));
    let heard = shape.heard(&[("authorization", &forged)]).await;
    assert_eq!(heard["authorization"], forged);
    let bearer = shape.bearer(STRANGER);
    let heard = shape.heard(&[("authorization", &bearer)]).await;
    assert_eq!(heard["authorization"], bearer, "the signature is whole");
}

#[tokio::test]
async fn a_push_without_a_token_gets_its_accounts_and_is_checked_like_any_other() {
    let shape = shape(|service| {
        service
            .invoker(POLLER)
            .push_from("/some/path", POLLER)
            .push_from("/some.Service/Call", STRANGER)
    })
    .await;
    let heard = shape.heard(&[]).await;
    let added = heard["authorization"].to_str().unwrap();
    assert!(added.ends_with(".SIGNATURE_REMOVED_BY_GOOGLE"), "{added}");
    let stranger = shape.bearer(STRANGER);
    let answer = shape.get(&[("authorization", &stranger)]).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN, "it keeps its own");

    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    for (path, status) in
        [("some.Service/Call", StatusCode::FORBIDDEN), ("some/path/below", StatusCode::FORBIDDEN)]
    {
        let url = shape.front.url().join(path).unwrap();
        assert_eq!(http.get(url).send().await.unwrap().status(), status);
    }
}

/// A front end with `push` would lend its token to any page that a browser shows.
#[tokio::test]
async fn no_token_is_added_to_the_call_of_a_foreign_page() {
    let service = shape(|service| service.invoker(POLLER).push_from("/some/path", POLLER)).await;
    let own = service.origin();
    for foreign in [
        [("origin", "http://evil.example")],
        [("origin", "null")],
        [("sec-fetch-site", "cross-site")],
    ] {
        let refused = service.get(&foreign).await.status();
        assert_eq!(refused, StatusCode::FORBIDDEN, "{foreign:?}");
    }
    let rebound = service.get(&[("host", "evil.example")]).await.status();
    assert_eq!(rebound, StatusCode::NOT_FOUND, "no service has this host");
    assert!(service.container.heard().is_none());
    assert_eq!(service.get(&[("origin", &*own)]).await.status(), StatusCode::OK);
    assert_eq!(service.get(&[]).await.status(), StatusCode::OK);
}
