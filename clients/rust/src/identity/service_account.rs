//! ID tokens by a service account's key file: a signed assertion, exchanged at the file's own `token_uri`.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use gcp_auth::{CustomServiceAccount, TokenProvider};
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::{TokenSource, audience::is_confidential, error::Error, http, token::IdToken};

/// RFC 7523, section 2.1.
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// The longest that Google accepts, in seconds.
const ASSERTION_LIFETIME_SECS: u64 = 3600;
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// A service account's key file.
#[derive(Debug)]
pub struct ServiceAccountFile {
    path: PathBuf,
    email: String,
    key_id: String,
    token_uri: Url,
    token_uri_as_given: String,
    account: CustomServiceAccount,
    client: Client,
}

#[derive(Deserialize)]
struct File {
    client_email: String,
    private_key_id: String,
    token_uri: String,
}

#[derive(Deserialize)]
struct TokenResponse {
    id_token: Option<String>,
}

impl ServiceAccountFile {
    /// Reads and checks the file. Nothing of its key ever appears in an error.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let json = fs::read_to_string(path)
            .map_err(|error| Error::Unreadable { path: path.to_owned(), why: error.to_string() })?;
        let invalid = |why| invalid(path, why);
        let (file, token_uri) = parse_key_file(&json).map_err(invalid)?;
        let account = CustomServiceAccount::from_json(&json)
            .map_err(|_| invalid("its private_key is not an RSA key in PKCS #8 PEM".into()))?;
        let client = http::client(&token_uri, RESPONSE_TIMEOUT)
            .map_err(|error| invalid(format!("no HTTP client: {}", http::explained(&error))))?;
        Ok(Self {
            path: path.to_owned(),
            email: file.client_email,
            key_id: file.private_key_id,
            token_uri,
            token_uri_as_given: file.token_uri,
            account,
            client,
        })
    }

    fn assertion(&self, audience: &str) -> Result<String, Error> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": self.key_id });
        let claims = json!({
            "iss": self.email,
            "sub": self.email,
            "aud": self.token_uri_as_given,
            "iat": now,
            "exp": now + ASSERTION_LIFETIME_SECS,
            "target_audience": audience,
        });
        let encode = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(&header), encode(&claims));
        let signature = self.account.signer().sign(signed.as_bytes());
        let signature =
            signature.map_err(|_| invalid(&self.path, "its private_key cannot sign".into()))?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// Access tokens of the account, for impersonation.
    pub(super) fn access_tokens(&self) -> &dyn TokenProvider {
        &self.account
    }
}

fn invalid(path: &Path, why: String) -> Error {
    Error::NotServiceAccount { path: path.to_owned(), why }
}

/// The file's fields, or what is wrong with them.
fn parse_key_file(json: &str) -> Result<(File, Url), String> {
    let value: serde_json::Value = serde_json::from_str(json)
        .map_err(|error| format!("it is not JSON (line {})", error.line()))?;
    match value["type"].as_str() {
        Some("service_account") => {}
        Some(other) => return Err(of_another_type(other)),
        None => return Err("it has no type".into()),
    }
    let file: File = serde_json::from_value(value)
        .map_err(|_| "client_email, private_key_id or token_uri is missing".to_owned())?;
    let token_uri =
        Url::parse(&file.token_uri).map_err(|_| "its token_uri is not a URL".to_owned())?;
    if !is_confidential(&token_uri) {
        return Err("its token_uri is neither https nor on this machine".into());
    }
    Ok((file, token_uri))
}

/// Each type of Google's files needs another fix.
fn of_another_type(kind: &str) -> String {
    let fix = match kind {
        "authorized_user" => {
            "a user's login, which gives no ID token of its own; fix: set BRIGADE_IMPERSONATE to a service account that you may \
             act as"
        }
        "impersonated_service_account" => {
            "a login that acts as a service account; fix: set BRIGADE_IMPERSONATE to that account, and log in by `gcloud auth \
             application-default login` without --impersonate-service-account"
        }
        "external_account" | "external_account_authorized_user" => {
            "a configuration of workload identity federation, which is not read here; fix: `gcloud auth login --cred-file` with \
             this file, unset the variable, and set BRIGADE_IMPERSONATE to a service account"
        }
        _ => "not one of Google's known types; fix: give a service account's key file",
    };
    format!("its type is {kind:?}, {fix}")
}

/// The likely reason of a refusal.
fn reason(status: StatusCode) -> &'static str {
    match status {
        // An assertion with wrong times gets the same response as one with a wrong signature.
        StatusCode::BAD_REQUEST => {
            " (is the key disabled or deleted, or is this machine's clock wrong?)"
        }
        StatusCode::UNAUTHORIZED => " (is the key disabled or deleted?)",
        _ => "",
    }
}

#[async_trait]
impl TokenSource for ServiceAccountFile {
    async fn fetch(&self, audience: &str) -> Result<IdToken, Error> {
        let assertion = self.assertion(audience)?;
        let form = [("grant_type", GRANT_TYPE), ("assertion", &assertion)];
        let request = self.client.post(self.token_uri.clone()).form(&form);
        let body = http::exchange(self, request, reason).await?;
        let answer: Option<TokenResponse> = serde_json::from_slice(&body).ok();
        let token = answer
            .and_then(|answer| answer.id_token)
            .ok_or_else(|| Error::bad_token(self.describe(), "the response has no id_token"))?;
        IdToken::parse(&token, audience, &self.describe())
    }

    fn kind(&self) -> &'static str {
        "key_file"
    }

    fn describe(&self) -> String {
        format!("{} for {} (key file {})", self.token_uri, self.email, self.path.display())
    }
}
