//! The client of a worker.

use std::{sync::Arc, time::Duration};

use brigade_proto::v1::{ProcessRequest, worker_service_client::WorkerServiceClient};
use tokio::time::{Instant, timeout_at};
use url::Url;

use crate::{
    answer::{Answer, Record, classify},
    connect::{ConnectError, Stack, stack},
    identity::{TokenSource, attach::Attached, origin},
    renewal::gets_another,
};

/// Messages carry names, not data.
const MAX_MESSAGE: usize = 64 * 1024;
/// The transport keeps a timer of its own for the deadline that it announces; ours has to end first.
const SLACK: Duration = Duration::from_secs(1);

/// Asks one worker to process objects. Cloning is cheap; clones share the connection.
///
/// ```no_run
/// use std::time::Duration;
/// use brigade_client::{WorkerClient, identity::{self, Environment}};
/// use brigade_proto::v1::ProcessRequest;
///
/// # async fn example(request: ProcessRequest) -> Result<(), Box<dyn std::error::Error>> {
/// let identity = identity::source(&Environment::from_env())?;
/// let worker = WorkerClient::new(&"https://worker.example.run.app".parse()?, Some(identity), None)?;
/// let answer = worker.process(request, Duration::from_secs(600)).await;
/// println!("{answer:?}");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct WorkerClient {
    client: WorkerServiceClient<Stack>,
    identity: Option<Arc<dyn TokenSource>>,
    audience: String,
}

impl WorkerClient {
    /// A client of the worker at `url`; it connects at its first call. Without an identity it sends no token. The
    /// audience is the URL's origin unless another is given.
    pub fn new(
        url: &Url,
        identity: Option<Arc<dyn TokenSource>>,
        audience: Option<&str>,
    ) -> Result<Self, ConnectError> {
        let stack = stack(url, identity.clone(), audience)?;
        let client = WorkerServiceClient::new(stack)
            .max_decoding_message_size(MAX_MESSAGE)
            .max_encoding_message_size(MAX_MESSAGE);
        let audience = audience.map_or_else(|| origin(url), str::to_owned);
        Ok(Self {
            client,
            identity,
            audience,
        })
    }

    /// Asks the worker to process one object, for at most `budget`, which it is told as its deadline.
    ///
    /// A token that is refused is renewed once, within the same budget: it may have ended on its way, or its key may
    /// have been withdrawn.
    pub async fn process(&self, request: ProcessRequest, budget: Duration) -> Answer {
        // A budget that the clock cannot hold is none.
        let end = Instant::now().checked_add(budget).unwrap_or_else(far);
        let attached = Attached::default();
        let answer = self.call(request.clone(), budget, end, &attached).await;
        let identity = self.identity.as_deref();
        if !gets_another(&answer, identity, &self.audience, &attached) {
            return answer;
        }
        self.call(request, budget, end, &Attached::default()).await
    }

    async fn call(
        &self,
        request: ProcessRequest,
        budget: Duration,
        end: Instant,
        attached: &Attached,
    ) -> Answer {
        let record = Record::default();
        let mut request = tonic::Request::new(request);
        request.set_timeout(
            end.saturating_duration_since(Instant::now())
                .saturating_add(SLACK),
        );
        request.extensions_mut().insert(record.clone());
        request.extensions_mut().insert(attached.clone());
        let mut client = self.client.clone();
        match timeout_at(end, client.process(request)).await {
            Ok(result) => classify(
                result.map(tonic::Response::into_inner),
                &record.wire(),
                budget,
            ),
            Err(_) => Answer::TimedOut(budget),
        }
    }
}

fn far() -> Instant {
    Instant::now() + Duration::from_hours(365 * 24)
}
