//! A user's login in a file that `GOOGLE_APPLICATION_CREDENTIALS` names, as `gcloud auth application-default login` writes it.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use gcp_auth::Token;
use reqwest::Client;
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

use super::{audience::is_confidential, error::Error, http};

const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// A user's login, which gives access tokens to impersonate with.
pub(super) struct UserFile {
    path: PathBuf,
    login: Login,
    uri: Url,
    client: Client,
    token: Mutex<Option<Arc<Token>>>,
}

#[derive(Deserialize)]
struct Login {
    r#type: String,
    client_id: String,
    client_secret: String,
    refresh_token: String,
    token_uri: Option<String>,
}

impl UserFile {
    /// The login in this file; none when it is a file of another type, or of none.
    pub(super) fn read(path: &Path) -> Option<Result<Self, Error>> {
        let login: Login = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        (login.r#type == "authorized_user").then(|| Self::new(path, login))
    }

    fn new(path: &Path, login: Login) -> Result<Self, Error> {
        let invalid = |why| Error::NotServiceAccount { path: path.to_owned(), why };
        let uri = Url::parse(login.token_uri.as_deref().unwrap_or(TOKEN_URI));
        let uri = uri.map_err(|_| invalid("its token_uri is not a URL".to_owned()))?;
        if !is_confidential(&uri) {
            return Err(invalid("its token_uri is neither https nor on this machine".to_owned()));
        }
        let client = http::client(&uri, RESPONSE_TIMEOUT);
        let client = client.map_err(|error| invalid(http::explained(&error)))?;
        Ok(Self { path: path.to_owned(), login, uri, client, token: Mutex::default() })
    }

    /// A valid access token.
    pub(super) async fn access_token(&self) -> Result<Arc<Token>, Error> {
        let mut known = self.token.lock().await;
        if let Some(token) = known.as_ref().filter(|token| !token.has_expired()) {
            return Ok(token.clone());
        }
        let token = Arc::new(self.fetch().await?);
        *known = Some(token.clone());
        Ok(token)
    }

    async fn fetch(&self) -> Result<Token, Error> {
        let Login { client_id, client_secret, refresh_token, .. } = &self.login;
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", client_id),
            ("client_secret", client_secret),
            ("refresh_token", refresh_token),
        ];
        let name = format!("{} for the login in {}", self.uri, self.path.display());
        let response = self.client.post(self.uri.clone()).form(&form).send().await;
        let response = response.map_err(|error| http::unavailable(name.clone(), &error))?;
        match response.status().as_u16() {
            200 => {}
            400 | 401 => {
                let why = format!("the login in {} was not accepted", self.path.display());
                return Err(Error::NoUser { why });
            }
            status => return Err(Error::Refused { source_name: name, status, why: String::new() }),
        }
        let body = http::body(response).await;
        let body = body.map_err(|error| http::unavailable(name.clone(), &error))?;
        serde_json::from_slice(&body)
            .map_err(|_| Error::bad_token(name, "the response has no access token"))
    }
}

/// Shows nothing of the login.
impl fmt::Debug for UserFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserFile").field("path", &self.path).finish_non_exhaustive()
    }
}
