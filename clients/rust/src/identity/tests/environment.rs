//! What the environment says, in whatever bytes.

use std::{ffi::OsString, os::unix::ffi::OsStringExt as _, path::PathBuf};

use axum::{
    Form, Json,
    http::{HeaderMap, StatusCode},
    routing::post,
};

use super::*;

/// No UTF-8, and a file name like any other.
const BYTES: &[u8] = b"/keys/caf\xe9.json";

fn with(name: &str, value: &[u8]) -> Result<Environment, Error> {
    Environment::from_lookup(|asked| (asked == name).then(|| OsString::from_vec(value.to_vec())))
}

#[test]
fn a_key_file_may_have_any_name_and_never_gives_way_to_the_metadata_server() {
    let environment = with("GOOGLE_APPLICATION_CREDENTIALS", BYTES).unwrap();
    let path = PathBuf::from(OsString::from_vec(BYTES.to_vec()));
    assert_eq!(environment.google_application_credentials, Some(path.clone()));
    // It is not there; what matters is that it was looked for.
    let error = source(&environment).unwrap_err();
    assert!(matches!(&error, Error::Unreadable { path: missed, .. } if *missed == path), "{error}");
}

#[test]
fn a_variable_that_is_no_path_and_no_text_is_an_error_that_names_it() {
    for name in [
        "BRIGADE_IMPERSONATE",
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS",
        "GCE_METADATA_HOST",
    ] {
        let error = with(name, BYTES).unwrap_err();
        assert_eq!(error, Error::NotText(name));
        assert!(error.to_string().starts_with(name) && !error.is_transient());
    }
}

#[test]
fn an_empty_variable_is_not_set() {
    for name in ["BRIGADE_IMPERSONATE", "GOOGLE_APPLICATION_CREDENTIALS"] {
        assert_eq!(with(name, b""), Ok(Environment::default()));
    }
}

#[test]
fn a_metadata_host_where_no_server_can_be_is_refused() {
    for host in ["169.254.169.254", "metadata.google.internal", "http://127.0.0.1:1/", "[::1]:80"] {
        assert!(source(&with("GCE_METADATA_HOST", host.as_bytes()).unwrap()).is_ok(), "{host}");
    }
    for host in ["\"127.0.0.1\"", "https://127.0.0.1", "127.0.0.1:port", "a b", "x/y"] {
        let error = source(&with("GCE_METADATA_HOST", host.as_bytes()).unwrap()).unwrap_err();
        assert_eq!(error, Error::NotAHost(host.to_owned()));
    }
}

/// A user's login whose tokens come from here, and what it is exchanged for.
async fn exchanged(answer: (StatusCode, &'static str)) -> Result<IdToken, Error> {
    let router = Router::new()
        .route(
            "/token",
            post(move |Form(form): Form<Vec<(String, String)>>| async move {
                let sent = ["refresh_token", "ID", "HUSH", "REFRESH"].map(str::to_owned);
                assert_eq!(form.into_iter().map(|(_, value)| value).collect::<Vec<_>>(), sent);
                answer
            }),
        )
        .fallback(|headers: HeaderMap| async move {
            assert_eq!(headers["authorization"], "Bearer ACCESS");
            Json(json!({ "token": good() }))
        });
    let origin = format!("http://{}", serving(router).await);
    let login = json!({
        "type": "authorized_user",
        "client_id": "ID",
        "client_secret": "HUSH",
        "refresh_token": "REFRESH",
        "token_uri": format!("{origin}/token"),
    });
    let (_directory, path) = super::key_file::written(&login.to_string());
    let environment = Environment {
        impersonate: Some("poller@p.iam.gserviceaccount.com".to_owned()),
        iam_credentials: Some(origin),
        google_application_credentials: Some(path),
        gce_metadata_host: None,
    };
    let source = source(&environment)?;
    let shown = format!("{source:?}");
    assert!(!["HUSH", "REFRESH"].iter().any(|secret| shown.contains(secret)), "{shown}");
    source.fetch(AUDIENCE).await
}

#[tokio::test]
async fn a_users_login_in_a_file_impersonates_as_that_of_gcloud_does() {
    let token = r#"{"access_token": "ACCESS", "expires_in": 3599, "token_type": "Bearer"}"#;
    assert!(exchanged((StatusCode::OK, token)).await.is_ok());
    let revoked = r#"{"error": "invalid_grant"}"#;
    let error = exchanged((StatusCode::BAD_REQUEST, revoked)).await.unwrap_err();
    assert!(matches!(&error, Error::NoUser { why } if why.contains("not accepted")), "{error}");
    let error = exchanged((StatusCode::SERVICE_UNAVAILABLE, "")).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    let error = exchanged((StatusCode::OK, "{}")).await.unwrap_err();
    assert!(matches!(error, Error::BadToken { .. }), "{error}");
}
