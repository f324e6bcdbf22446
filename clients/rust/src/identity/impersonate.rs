//! ID tokens of a service account for a user who may act as it: for laptops, configured by `BRIGADE_IMPERSONATE`.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::{
    TokenSource,
    audience::is_confidential,
    error::Error,
    http,
    service_account::ServiceAccountFile,
    token::IdToken,
    user::{Given, User},
};

/// <https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateIdToken>
const ENDPOINT: &str = "https://iamcredentials.googleapis.com/";
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// A service account that the user acts as, through IAM Credentials' `generateIdToken`.
#[derive(Debug)]
pub struct Impersonated {
    account: String,
    url: Url,
    user: Arc<User>,
    client: Client,
}

#[derive(Deserialize)]
struct TokenResponse {
    token: String,
}

// === impl Impersonated ===

impl Impersonated {
    /// Tokens of this account. The user's own credentials are those of the key file if one is given, else the
    /// application-default login, else the login of `gcloud`; the first fetch looks for them. `endpoint` is another endpoint
    /// of IAM Credentials.
    pub fn new(
        account: &str,
        endpoint: Option<&str>,
        key_file: Option<ServiceAccountFile>,
    ) -> Result<Self, Error> {
        Self::by(account, endpoint, key_file.map(Given::Key))
    }

    pub(super) fn by(
        account: &str,
        endpoint: Option<&str>,
        given: Option<Given>,
    ) -> Result<Self, Error> {
        if !is_account(account) {
            return Err(Error::NotAnAccount(account.to_owned()));
        }
        let endpoint = endpoint.unwrap_or(ENDPOINT);
        let wrong = || Error::NotAnEndpoint(endpoint.to_owned());
        let base = Url::parse(endpoint).map_err(|_| wrong())?;
        if !is_confidential(&base) {
            return Err(wrong());
        }
        let path = format!("/v1/projects/-/serviceAccounts/{account}:generateIdToken");
        let client = http::client(&base, RESPONSE_TIMEOUT)
            .map_err(|error| Error::away(endpoint, http::explained(&error)))?;
        Ok(Self {
            account: account.to_owned(),
            url: base.join(&path).map_err(|_| wrong())?,
            user: Arc::new(User::new(given)),
            client,
        })
    }
}

/// The likely reason of a refusal, and the fix.
pub(super) fn reason(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => " (the audience is invalid)",
        StatusCode::UNAUTHORIZED => {
            " (your login is not accepted; fix: run `gcloud auth application-default login`)"
        }
        StatusCode::FORBIDDEN => {
            " (fix: grant yourself roles/iam.serviceAccountOpenIdTokenCreator on it, and enable the IAM Service Account \
             Credentials API in its project)"
        }
        StatusCode::NOT_FOUND => " (there is no such service account)",
        _ => "",
    }
}

/// Whether this is an email that fits into a URL's path unchanged.
fn is_account(account: &str) -> bool {
    let plain = |part: &str| {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        !part.is_empty() && part.bytes().all(allowed)
    };
    account.split_once('@').is_some_and(|(name, domain)| plain(name) && plain(domain))
}

#[async_trait]
impl TokenSource for Impersonated {
    async fn fetch(&self, audience: &str) -> Result<IdToken, Error> {
        let access = self.user.access_token().await?;
        // Without the email the callee cannot identify the caller.
        let body = json!({"audience": audience, "includeEmail": true});
        let request = self.client.post(self.url.clone());
        let request = request.bearer_auth(access.as_str()).json(&body);
        let body = http::exchange(self, request, reason).await?;
        let answer: TokenResponse = serde_json::from_slice(&body)
            .map_err(|_| Error::bad_token(self.describe(), "the response has no token"))?;
        IdToken::parse(&answer.token, audience, &self.describe())
    }

    fn kind(&self) -> &'static str {
        "impersonation"
    }

    fn describe(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        format!("impersonation of {} at {host}", self.account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_an_email_and_nothing_that_could_change_the_path() {
        assert!(is_account("poller@my-project.iam.gserviceaccount.com"));
        assert!(is_account("123-compute@developer.gserviceaccount.com"));
        for wrong in [
            "",
            "poller",
            "@p",
            "poller@",
            "a@b@c",
            "a/../b@p",
            "a@p?x",
            "a@p#",
            "a@p:signBlob",
            "a b@p",
            "ä@p",
        ] {
            assert!(!is_account(wrong), "{wrong}");
            assert!(Impersonated::new(wrong, None, None).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_access_token_does_not_go_out_in_the_clear() {
        let error = Impersonated::new("a@p", Some("http://iam.example"), None).unwrap_err();
        assert!(matches!(error, Error::NotAnEndpoint(_)), "{error}");
    }
}
