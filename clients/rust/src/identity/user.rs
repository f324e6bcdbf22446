//! The user's own access token, through `gcp_auth`.

use std::{fmt, io::ErrorKind, sync::Arc, time::Duration};

use gcp_auth::{ConfigDefaultCredentials, GCloudAuthorizedUser, Token, TokenProvider};
use tokio::{runtime::Handle, sync::OnceCell, task::spawn_blocking, time::timeout};

use super::{error::Error, service_account::ServiceAccountFile, user_file::UserFile};

const SCOPES: &[&str] = &["https://www.googleapis.com/auth/cloud-platform"];

/// `gcloud` runs twice, and may take seconds to start; one that waits for input on a terminal would wait for ever.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(15);

/// Credentials in the file that the environment names.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "a process has one")]
pub(super) enum Given {
    Key(ServiceAccountFile),
    Login(UserFile),
}

/// The user of this machine.
pub(super) struct User {
    given: Option<Given>,
    login: OnceCell<Box<dyn TokenProvider>>,
}

// === impl User ===

impl User {
    pub(super) fn new(given: Option<Given>) -> Self {
        Self { given, login: OnceCell::new() }
    }

    /// A valid access token; `gcp_auth` caches it.
    pub(super) async fn access_token(self: &Arc<Self>) -> Result<Arc<Token>, Error> {
        let (user, runtime) = (self.clone(), Handle::current());
        // gcp_auth runs `gcloud` and blocks its thread meanwhile.
        let fetched = spawn_blocking(move || runtime.block_on(user.fetch()));
        match timeout(LOGIN_TIMEOUT, fetched).await {
            Ok(fetched) => {
                fetched.unwrap_or_else(|_| Err(no_user("the search for them was aborted")))
            }
            Err(_) => Err(Error::away(
                "your own login (the application-default one, or that of gcloud)",
                format!(
                    "no access token within {LOGIN_TIMEOUT:?}; see what `gcloud auth print-access-token` waits for"
                ),
            )),
        }
    }

    async fn fetch(&self) -> Result<Arc<Token>, Error> {
        let provider = match &self.given {
            Some(Given::Login(file)) => return file.access_token().await,
            Some(Given::Key(file)) => file.access_tokens(),
            None => self.login.get_or_try_init(login).await?.as_ref(),
        };
        provider.token(SCOPES).await.map_err(|error| refused(&error))
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("given", &self.given).finish_non_exhaustive()
    }
}

/// The application-default login, else the login of `gcloud`. A login that is refused is an error, without a fallback: the
/// other one may be another user's.
async fn login() -> Result<Box<dyn TokenProvider>, Error> {
    match ConfigDefaultCredentials::new().await {
        Ok(login) => return Ok(Box::new(login)),
        Err(gcp_auth::Error::Io(_, error)) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(refused(&error)),
    }
    match GCloudAuthorizedUser::new().await {
        Ok(login) => Ok(Box::new(login)),
        Err(gcp_auth::Error::Io(..)) => {
            Err(no_user("there is no application-default login, and no gcloud on the path"))
        }
        Err(_) => Err(no_user("there is no application-default login, and gcloud has none either")),
    }
}

/// Only the kind of the error is shown, since it may quote a file; `gcp_auth` logs Google's response.
fn refused(error: &gcp_auth::Error) -> Error {
    match error {
        gcp_auth::Error::Http(..) | gcp_auth::Error::Other(..) => {
            Error::away("Google's token endpoint", "it cannot be reached")
        }
        gcp_auth::Error::Io(..)
        | gcp_auth::Error::Json(..)
        | gcp_auth::Error::NoAuthMethod(..)
        | gcp_auth::Error::Str(_) => no_user("those found were not accepted"),
    }
}

fn no_user(why: &str) -> Error {
    Error::NoUser { why: why.into() }
}
