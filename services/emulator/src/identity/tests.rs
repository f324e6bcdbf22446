use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode,
    jwk::JwkSet,
};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{Emulator, identity::ISSUER};

const POLLER: &str = "poller@brigade-dev.iam.gserviceaccount.com";
const WORKER: &str = "https://worker.example";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

async fn start() -> Emulator {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let builder = Emulator::builder().bucket("some-bucket").service_account(POLLER);
    builder.start(listener).await.unwrap()
}

fn http() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

/// The token's claims, when it verifies with the published keys as a service would verify it.
async fn verified(google: &Emulator, token: &str) -> jsonwebtoken::errors::Result<Value> {
    let keys = http().get(google.url().join("oauth2/v3/certs").unwrap()).send().await.unwrap();
    let keys: JwkSet = keys.json().await.unwrap();
    let kid = decode_header(token)?.kid.unwrap_or_default();
    let Some(key) = keys.find(&kid) else {
        return Err(jsonwebtoken::errors::ErrorKind::InvalidSignature.into());
    };
    let mut rules = Validation::new(Algorithm::RS256);
    rules.set_audience(&[WORKER]);
    rules.set_issuer(&[ISSUER]);
    rules.set_required_spec_claims(&["iss", "aud", "exp", "sub"]);
    Ok(decode(token, &DecodingKey::from_jwk(key)?, &rules)?.claims)
}

async fn metadata(google: &Emulator, path: &str) -> (StatusCode, String) {
    let url = google.url().join("computeMetadata/v1/instance/service-accounts/").unwrap();
    let request = http().get(url.join(path).unwrap()).header("Metadata-Flavor", "Google");
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["metadata-flavor"], "Google");
    (response.status(), response.text().await.unwrap())
}

#[tokio::test]
async fn a_minted_token_verifies_and_has_googles_claims() {
    let google = start().await;
    let claims = verified(&google, &google.identity().mint(POLLER, WORKER)).await.unwrap();
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!(ISSUER), &json!(WORKER)));
    assert_eq!((&claims["email"], &claims["email_verified"]), (&json!(POLLER), &json!(true)));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3_600);
    let subject = claims["sub"].as_str().unwrap();
    assert!(
        subject.len() == 21 && subject.bytes().all(|digit| digit.is_ascii_digit()),
        "{subject}"
    );
    assert_eq!(claims["azp"], subject);
    let elsewhere = verified(&start().await, &google.identity().mint(POLLER, WORKER)).await;
    assert!(elsewhere.is_err(), "every issuer has keys of its own");
}

#[tokio::test]
async fn a_rotation_keeps_the_key_before_and_no_older_one() {
    let google = start().await;
    let token = google.identity().mint(POLLER, WORKER);
    assert_eq!(google.identity().jwks()["keys"].as_array().unwrap().len(), 2);
    google.identity().rotate();
    let fresh = google.identity().mint(POLLER, WORKER);
    assert_ne!(decode_header(&token).unwrap().kid, decode_header(&fresh).unwrap().kid);
    verified(&google, &token).await.unwrap();
    verified(&google, &fresh).await.unwrap();
    google.identity().rotate();
    verified(&google, &token).await.unwrap_err();
    verified(&google, &fresh).await.unwrap();
    assert_eq!(google.identity().jwks_fetches(), 4);
}

#[tokio::test]
async fn any_claims_and_headers_can_be_signed() {
    let google = start().await;
    let mut claims = google.identity().claims(POLLER, WORKER);
    claims["exp"] = json!(1);
    let expired = google.identity().sign(&claims, &json!({}));
    let error = verified(&google, &expired).await.unwrap_err();
    assert_eq!(*error.kind(), jsonwebtoken::errors::ErrorKind::ExpiredSignature);
    let header = json!({"kid": null, "crit": ["exp"]});
    let token = google.identity().sign(&claims, &header);
    assert_eq!(decode_header(&token).unwrap().kid, None);
}

#[tokio::test]
async fn keys_say_how_long_they_may_be_kept() {
    let google = start().await;
    let keys = http().get(google.url().join("oauth2/v3/certs").unwrap()).send().await.unwrap();
    let cached = keys.headers()["cache-control"].to_str().unwrap().to_owned();
    assert!(cached.contains("max-age=3600"), "{cached}");
}

#[tokio::test]
async fn the_metadata_server_gives_tokens_to_callers_that_send_its_flavor() {
    let google = start().await;
    let (status, token) =
        metadata(&google, &format!("default/identity?audience={WORKER}&format=full")).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(verified(&google, &token).await.unwrap()["email"], POLLER);
    let (_, short) = metadata(&google, &format!("{POLLER}/identity?audience={WORKER}")).await;
    let claims = verified(&google, &short).await.unwrap();
    assert_eq!((&claims["email"], &claims["email_verified"]), (&Value::Null, &Value::Null));

    assert_eq!(metadata(&google, "default/email").await, (StatusCode::OK, POLLER.to_owned()));
    let (_, access) = metadata(&google, "default/token").await;
    let access: Value = serde_json::from_str(&access).unwrap();
    assert_eq!((&access["token_type"], &access["expires_in"]), (&json!("Bearer"), &json!(3_599)));
    assert_eq!(metadata(&google, "default/identity").await.0, StatusCode::BAD_REQUEST);
    assert_eq!(metadata(&google, "unknown@x/email").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_metadata_server_refuses_requests_without_the_flavor() {
    let google = start().await;
    let url =
        google.url().join("computeMetadata/v1/instance/service-accounts/default/email").unwrap();
    let plain = http().get(url.clone()).send().await.unwrap();
    assert_eq!(plain.status(), StatusCode::FORBIDDEN);
    let forwarded =
        http().get(url).header("Metadata-Flavor", "Google").header("X-Forwarded-For", "10.0.0.1");
    assert_eq!(forwarded.send().await.unwrap().status(), StatusCode::FORBIDDEN);
    let ping = http().get(google.url()).send().await.unwrap();
    assert_eq!(ping.headers()["metadata-flavor"], "Google");
}

/// Signs an assertion with a key file, as a client library does.
fn assertion(file: &Value, changes: &Value) -> String {
    let now = jiff::Timestamp::now().as_second();
    let mut claims = json!({
        "iss": file["client_email"],
        "sub": file["client_email"],
        "aud": file["token_uri"],
        "iat": now,
        "exp": now + 3_600,
        "target_audience": WORKER,
    });
    for (claim, value) in changes.as_object().unwrap() {
        claims[claim] = value.clone();
    }
    let key = EncodingKey::from_rsa_pem(file["private_key"].as_str().unwrap().as_bytes()).unwrap();
    encode(&Header::new(Algorithm::RS256), &claims, &key).unwrap()
}

async fn exchange(file: &Value, grant: &str, assertion: &str) -> (StatusCode, Value) {
    let form = [("grant_type", grant), ("assertion", assertion)];
    let request = http().post(file["token_uri"].as_str().unwrap()).form(&form);
    let response = request.send().await.unwrap();
    (response.status(), response.json().await.unwrap())
}

#[tokio::test]
async fn a_key_files_assertion_is_exchanged_for_a_token() {
    let google = start().await;
    let file = google.identity().service_account_file(POLLER);
    assert_eq!(google.identity().service_account_file(POLLER), file, "an account has one key");
    let (status, answer) = exchange(&file, GRANT, &assertion(&file, &json!({}))).await;
    assert_eq!(status, StatusCode::OK);
    let claims = verified(&google, answer["id_token"].as_str().unwrap()).await.unwrap();
    assert_eq!(claims["email"], POLLER);
    let python = json!({"aud": "https://oauth2.googleapis.com/token"});
    let (status, _) = exchange(&file, GRANT, &assertion(&file, &python)).await;
    assert_eq!(status, StatusCode::OK);
    let scope =
        json!({"target_audience": null, "scope": "https://www.googleapis.com/auth/cloud-platform"});
    let (_, answer) = exchange(&file, GRANT, &assertion(&file, &scope)).await;
    assert!(answer["access_token"].as_str().unwrap().starts_with("ya29."));
}

#[tokio::test]
async fn assertions_that_prove_nothing_are_refused() {
    let google = start().await;
    let file = google.identity().service_account_file(POLLER);
    let other = google.identity().service_account_file("other@brigade-dev.iam.gserviceaccount.com");
    let now = jiff::Timestamp::now().as_second();
    for (changes, description) in [
        (json!({"iss": other["client_email"]}), "Invalid JWT Signature."),
        (json!({"iss": "unknown@x"}), "Invalid grant: account not found"),
        (json!({"aud": WORKER}), "Invalid JWT: aud must be this token_uri."),
        (json!({"exp": now + 7_200}), "Invalid JWT: it must not live longer than an hour."),
        (
            json!({"iat": now - 7_200, "exp": now - 3_600}),
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.",
        ),
    ] {
        let (status, answer) = exchange(&file, GRANT, &assertion(&file, &changes)).await;
        assert_eq!((status, &answer["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_grant")));
        assert_eq!(answer["error_description"], description);
    }
    let neither = assertion(&file, &json!({"target_audience": null}));
    assert_eq!(exchange(&file, GRANT, &neither).await.1["error"], "invalid_scope");
    assert_eq!(exchange(&file, "password", &neither).await.1["error"], "unsupported_grant_type");
    assert_eq!(exchange(&file, GRANT, "x.y.z").await.1["error"], "invalid_grant");
}

#[tokio::test]
async fn iam_mints_tokens_for_holders_of_an_access_token() {
    let google = start().await;
    let (_, access) = metadata(&google, "default/token").await;
    let access: Value = serde_json::from_str(&access).unwrap();
    let access = access["access_token"].as_str().unwrap().to_owned();
    let generate = async |account: &str, bearer: &str, include_email: bool| {
        let url = google
            .url()
            .join(&format!("v1/projects/-/serviceAccounts/{account}:generateIdToken"))
            .unwrap();
        let body = json!({"audience": WORKER, "includeEmail": include_email});
        let response = http().post(url).bearer_auth(bearer).json(&body).send().await.unwrap();
        (response.status(), response.json::<Value>().await.unwrap())
    };
    let (status, answer) = generate(POLLER, &access, true).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        verified(&google, answer["token"].as_str().unwrap()).await.unwrap()["email"],
        POLLER
    );
    let (_, answer) = generate(POLLER, &access, false).await;
    assert_eq!(
        verified(&google, answer["token"].as_str().unwrap()).await.unwrap()["email"],
        Value::Null
    );
    assert_eq!(generate("unknown@x", &access, true).await.0, StatusCode::NOT_FOUND);
    let id_token = google.identity().mint(POLLER, WORKER);
    assert_eq!(generate(POLLER, &id_token, true).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_killed_one_hangs_up_until_it_is_revived() {
    let google = start().await;
    let keys = google.url().join("oauth2/v3/certs").unwrap();
    google.identity().kill();
    let error = http().get(keys.clone()).send().await.unwrap_err();
    assert!(!error.is_status() && !error.is_timeout(), "{error}");
    let bucket = google.url().join("storage/v1/b/some-bucket").unwrap();
    let storage = http().get(bucket).send().await.unwrap();
    assert_eq!(storage.status(), StatusCode::OK, "storage continues");
    google.identity().revive();
    assert_eq!(http().get(keys).send().await.unwrap().status(), StatusCode::OK);
}
