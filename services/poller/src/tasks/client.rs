//! The client of Cloud Tasks.

use std::time::Duration;

use async_trait::async_trait;
use brigade_client::identity::origin;
use brigade_storage::Object;
use google_cloud_auth::{
    credentials::{Builder, CacheableResource, Credentials},
    errors::CredentialsError,
};
use googleapis_tonic_google_cloud_tasks_v2::google::cloud::tasks::v2::{
    CreateTaskRequest, cloud_tasks_client::CloudTasksClient,
};
use http::{Extensions, HeaderMap};
use tokio::time::timeout;
use tonic::{
    Code, Request, Status,
    metadata::MetadataMap,
    transport::{Channel, ClientTlsConfig, Endpoint},
};

use super::{Enqueued, Queue, Target, TasksSettings, task};
use crate::verdict::{Blame, Retry, Stop};

const SERVICE: &str = "https://cloudtasks.googleapis.com";
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
const CONNECT: Duration = Duration::from_secs(10);
/// For one call; the service's own clients give it ten.
const CALL: Duration = Duration::from_secs(10);

const HINT_QUEUE: &str = "create the queue, and check BRIGADE_TASKS_QUEUE";
const HINT_ROLE: &str = "grant this service's account roles/cloudtasks.enqueuer on the queue, and \
     roles/iam.serviceAccountUser on the account of BRIGADE_TASKS_ACCOUNT";
const HINT_CREDENTIALS: &str = "check GOOGLE_APPLICATION_CREDENTIALS or the metadata server";
const HINT_SETTINGS: &str =
    "check BRIGADE_TASKS_QUEUE, BRIGADE_TASKS_ACCOUNT and BRIGADE_PUBLIC_URL";

/// One queue of Cloud Tasks.
#[derive(Clone, Debug)]
pub struct CloudTasks {
    client: CloudTasksClient<Channel>,
    credentials: Option<Credentials>,
    queue: String,
    target: Target,
}

/// A client that cannot be made. Nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum TasksError {
    /// No credentials.
    #[error("no credentials for Cloud Tasks: {0}")]
    Credentials(String),
    /// The transport cannot be set up.
    #[error("cannot set up the connection to Cloud Tasks at {url}: {error}")]
    Transport {
        /// Where it is.
        url: String,
        /// What the transport said.
        error: tonic::transport::Error,
    },
}

// === impl CloudTasks ===

impl CloudTasks {
    /// A client of the queue, whose tasks go to `target`. It connects at its first call.
    ///
    /// # Errors
    /// When there are no credentials. An emulator on this machine over plain HTTP needs none, and gets none.
    pub fn new(settings: &TasksSettings, target: Target) -> Result<Self, TasksError> {
        let url = settings.endpoint.as_ref().map_or_else(|| SERVICE.to_owned(), origin);
        let is_plain = url.starts_with("http://");
        let credentials = if is_plain {
            None
        } else {
            let built = Builder::default().with_scopes([SCOPE]).build();
            Some(built.map_err(|error| TasksError::Credentials(error.to_string()))?)
        };
        let transport = |error| TasksError::Transport { url: url.clone(), error };
        let mut endpoint = Endpoint::from_shared(url.clone())
            .map_err(transport)?
            .connect_timeout(CONNECT)
            .tcp_nodelay(true);
        if !is_plain {
            let tls = ClientTlsConfig::new().with_native_roots();
            endpoint = endpoint.tls_config(tls).map_err(transport)?;
        }
        Ok(Self {
            client: CloudTasksClient::new(endpoint.connect_lazy()),
            credentials,
            queue: settings.queue.clone(),
            target,
        })
    }

    async fn create(&self, object: &Object) -> Result<(), Enqueued> {
        let mut request = Request::new(task::request(&self.queue, object, &self.target));
        if let Some(credentials) = &self.credentials {
            let headers =
                headers(credentials).await.map_err(|error| from_credentials_error(&error))?;
            *request.metadata_mut() = MetadataMap::from_headers(headers);
        }
        route(&mut request);
        let created = self.client.clone().create_task(request).await;
        created.map(drop).map_err(|status| from_status(&status, &self.queue))
    }
}

#[async_trait]
impl Queue for CloudTasks {
    async fn enqueue(&self, object: &Object, limit: Duration) -> Enqueued {
        match timeout(limit.min(CALL), self.create(object)).await {
            Ok(Ok(())) => Enqueued::Created,
            Ok(Err(other)) => other,
            Err(_) => again("no answer in time"),
        }
    }
}

async fn headers(credentials: &Credentials) -> Result<HeaderMap, CredentialsError> {
    match credentials.headers(Extensions::new()).await? {
        CacheableResource::New { data, .. } => Ok(data),
        // Without an entity tag in the question nothing can be unchanged.
        CacheableResource::NotModified => Ok(HeaderMap::new()),
    }
}

/// Google's front ends find the queue's region by this header.
fn route(request: &mut Request<CreateTaskRequest>) {
    let parent = request.get_ref().parent.replace('/', "%2F");
    // A queue's name has only characters that a header allows.
    if let Ok(value) = format!("parent={parent}").parse() {
        request.metadata_mut().insert("x-goog-request-params", value);
    }
}

fn from_credentials_error(error: &CredentialsError) -> Enqueued {
    let why = format!("no access token for Cloud Tasks: {error}");
    if error.is_transient() { again(&why) } else { stop(why, HINT_CREDENTIALS) }
}

fn from_status(status: &Status, queue: &str) -> Enqueued {
    let said =
        format!("Cloud Tasks returned {:?} for {queue}: {}", status.code(), status.message());
    match status.code() {
        Code::AlreadyExists => Enqueued::Exists,
        Code::NotFound => stop(said, HINT_QUEUE),
        Code::PermissionDenied => stop(said, HINT_ROLE),
        Code::Unauthenticated => stop(said, HINT_CREDENTIALS),
        // FAILED_PRECONDITION: the queue is disabled, or was deleted not long ago.
        Code::InvalidArgument
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Unimplemented => stop(said, HINT_SETTINGS),
        // A task that was made although its answer was lost exists when it is made again.
        _ => again(&said),
    }
}

fn again(why: &str) -> Enqueued {
    Enqueued::Again(Retry {
        after: None,
        blame: Blame::Transport,
        why: format!("could not enqueue a task: {why}"),
    })
}

fn stop(why: String, hint: &'static str) -> Enqueued {
    Enqueued::Stop(Stop { why, hint })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_says_what_it_means_why_and_the_fix() {
        let rows = (1..=16).map(|number| {
            let status = Status::new(Code::from_i32(number), "said so");
            let meaning = match from_status(&status, "projects/p/locations/l/queues/q") {
                Enqueued::Created => "created".to_owned(),
                Enqueued::Exists => "exists".to_owned(),
                Enqueued::Again(retry) => format!("again, {:?}: {}", retry.blame, retry.why),
                Enqueued::Stop(stop) => format!("stop: {stop}"),
            };
            format!("{:?}\n    {meaning}\n", status.code())
        });
        let table = rows.collect::<Vec<_>>().concat();
        let error = TasksError::Credentials("no file".into());
        insta::assert_snapshot!(format!("{table}no credentials\n    {error}\n"));
    }
}
