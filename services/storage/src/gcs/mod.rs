//! Cloud Storage through Google's official client: the one place that knows it.
//!
//! Listing, looking, updating, moving, copying and deleting speak gRPC (`google.storage.v2`); uploads and downloads
//! speak the JSON API, as the client does. Two habits of the client are switched off: it never repeats a call, and it
//! never resumes a read. The caller of [`Bucket`] has the budget, and knows what a repetition means.
//!
//! Three calls are two requests, because the service has no single one for them: a
//! [rewrite](crate::Bucket::rewrite) that merges metadata looks at the source first, since a destination resource
//! replaces all metadata; so does an [update](crate::Bucket::update) of keys that an update mask cannot name; both are
//! fenced by the metageneration that was seen. And a [read](crate::Bucket::read) that the service refuses because it
//! begins at the end or after it looks how large the object is.

mod bucket;
mod call;
mod convert;
mod hold;
mod payload;
mod policy;
mod read;
mod request;
mod settings;
mod status;

use std::{fmt, sync::Arc, time::Duration};

use google_cloud_auth::credentials::{self as auth, anonymous, mds};
use google_cloud_gax::{client_builder, retry_policy::NeverRetry};
use google_cloud_storage::client::{Storage, StorageControl};
use tokio::time::timeout;

pub use policy::{Grant, Policy};
pub use settings::{Credentials, GcsSettings};

use crate::{Bucket, Store, observed};

/// How long to wait for credentials while connecting; off Google Cloud a metadata server may never answer.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);

/// Cloud Storage.
#[derive(Clone)]
pub struct GcsStore {
    clients: Arc<Clients>,
}

/// The official client's two halves.
struct Clients {
    control: StorageControl,
    data: Storage,
    settings: GcsSettings,
}

/// Why there is no client for Cloud Storage.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No usable credentials.
    #[error(
        "no credentials for Cloud Storage: {0}; set GOOGLE_APPLICATION_CREDENTIALS to a service account's key file, \
         run `gcloud auth application-default login`, or run on Google Cloud"
    )]
    Credentials(#[source] client_builder::Error),
    /// The endpoint is not one.
    #[error(
        "cannot make a client for Cloud Storage at {endpoint}: {source}; correct STORAGE_EMULATOR_HOST"
    )]
    Endpoint {
        /// What was tried.
        endpoint: String,
        /// The client's error.
        source: client_builder::Error,
    },
    /// Nothing answered in time.
    #[error("no credentials for Cloud Storage within {} s; is the metadata server reachable?", CONNECT_LIMIT.as_secs())]
    TimedOut,
}

// === impl GcsStore ===

impl GcsStore {
    /// Makes the clients. Nothing is sent to Cloud Storage yet: a wrong address shows at the first call.
    ///
    /// # Errors
    /// When there are no credentials, or an endpoint is not a URL.
    pub async fn connect(settings: GcsSettings) -> Result<Self, ConnectError> {
        let control = within_limit(control(&settings)).await?;
        let data = within_limit(data(&settings)).await?;
        let control = control.map_err(|e| because(e, settings.grpc_endpoint.as_deref()))?;
        let data = data.map_err(|e| because(e, settings.json_endpoint.as_deref()))?;
        Ok(Self { clients: Arc::new(Clients { control, data, settings }) })
    }
}

impl Store for GcsStore {
    fn bucket(&self, name: &str) -> Arc<dyn Bucket> {
        observed(Arc::new(bucket::GcsBucket::new(Arc::clone(&self.clients), name)))
    }
}

impl fmt::Debug for GcsStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GcsStore").field("settings", &self.clients.settings).finish_non_exhaustive()
    }
}

async fn control(settings: &GcsSettings) -> client_builder::Result<StorageControl> {
    let mut builder = StorageControl::builder()
        .with_retry_policy(NeverRetry)
        .with_attempt_timeout(call::ATTEMPT_LIMIT);
    if let Some(endpoint) = &settings.grpc_endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if let Some(credentials) = credentials(settings)? {
        builder = builder.with_credentials(credentials);
    }
    builder.build().await
}

async fn data(settings: &GcsSettings) -> client_builder::Result<Storage> {
    let mut builder = Storage::builder().with_retry_policy(NeverRetry);
    if let Some(endpoint) = &settings.json_endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if let Some(credentials) = credentials(settings)? {
        builder = builder.with_credentials(credentials);
    }
    builder.build().await
}

/// Credentials of our own choice; none where the client finds the environment's by itself.
fn credentials(settings: &GcsSettings) -> client_builder::Result<Option<auth::Credentials>> {
    match &settings.credentials {
        Credentials::Environment => Ok(None),
        Credentials::Anonymous => Ok(Some(anonymous::Builder::new().build())),
        Credentials::Metadata(origin) => {
            let credentials = mds::Builder::default().with_endpoint(origin).build();
            credentials.map(Some).map_err(client_builder::Error::cred)
        }
    }
}

async fn within_limit<T>(building: impl Future<Output = T>) -> Result<T, ConnectError> {
    timeout(CONNECT_LIMIT, building).await.map_err(|_| ConnectError::TimedOut)
}

fn because(source: client_builder::Error, endpoint: Option<&str>) -> ConnectError {
    match endpoint {
        Some(endpoint) if !source.is_default_credentials() => {
            ConnectError::Endpoint { endpoint: endpoint.to_owned(), source }
        }
        _ => ConnectError::Credentials(source),
    }
}
