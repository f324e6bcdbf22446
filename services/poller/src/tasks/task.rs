//! One object as a task.

use std::time::Duration;

use brigade_storage::Object;
use brigade_telemetry::traceparent;
use googleapis_tonic_google_cloud_tasks_v2::google::cloud::tasks::v2::{
    CreateTaskRequest, HttpMethod, HttpRequest, OidcToken, Task, http_request::AuthorizationHeader,
    task::MessageType,
};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::{destination::hex, request::ON_THE_WAY};

/// What Cloud Tasks takes as a task's deadline.
const MIN_DEADLINE: Duration = Duration::from_secs(15);
pub(crate) const MAX_DEADLINE: Duration = Duration::from_mins(30);

/// Where tasks are delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// This poller's own `POST /process`.
    pub url: Url,
    /// Whose ID token comes with each task.
    pub account: String,
    /// The token's audience.
    pub audience: String,
    /// How long this poller may take for one delivery.
    pub deadline: Duration,
}

/// The task of one object generation in this queue.
pub(super) fn request(queue: &str, object: &Object, target: &Target) -> CreateTaskRequest {
    let body = json!({
        "bucket": object.bucket,
        "name": object.name,
        "generation": object.generation.to_string(),
    });
    let token = OidcToken {
        service_account_email: target.account.clone(),
        audience: target.audience.clone(),
    };
    let json = [("Content-Type".to_owned(), "application/json".to_owned())];
    let traced = traceparent().map(|trace| ("traceparent".to_owned(), trace));
    let call = HttpRequest {
        url: target.url.to_string(),
        http_method: HttpMethod::Post.into(),
        headers: json.into_iter().chain(traced).collect(),
        body: body.to_string().into_bytes(),
        authorization_header: Some(AuthorizationHeader::OidcToken(token)),
    };
    let deadline = target.deadline.saturating_add(ON_THE_WAY).clamp(MIN_DEADLINE, MAX_DEADLINE);
    CreateTaskRequest {
        parent: queue.to_owned(),
        task: Some(Task {
            name: format!("{queue}/tasks/{}", id(object)),
            dispatch_deadline: deadline.try_into().ok(),
            message_type: Some(MessageType::HttpRequest(call)),
            ..Task::default()
        }),
        ..CreateTaskRequest::default()
    }
}

/// A task's name must be of letters, digits, `-` and `_`, and should begin with something evenly spread; an object's name
/// is neither. So it is a digest, of what makes the object's generation unique.
fn id(object: &Object) -> String {
    let mut digest = Sha256::new();
    for part in [&object.bucket, &object.name] {
        digest.update(part.as_bytes());
        // No bucket or object has a line feed in its name.
        digest.update(b"\n");
    }
    digest.update(object.generation.to_be_bytes());
    hex(&digest.finalize())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::tests::object;

    #[test]
    fn a_name_is_legal_and_one_generations_own() {
        let objects = [("a", 1), ("a", 2), ("a\u{1}/../é#?", 1), ("b", 1)];
        let ids: BTreeSet<_> =
            objects.map(|(name, generation)| id(&object(name, generation))).into();
        assert_eq!(ids.len(), objects.len());
        for id in ids {
            assert!(id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id}");
        }
        assert_eq!(id(&object("a", 1)), id(&object("a", 1)));
    }

    #[test]
    fn a_task_carries_the_trace_of_its_poll_and_none_when_there_is_none() {
        let target = Target {
            url: "https://poller.example/process".parse().unwrap(),
            account: "tasks@p.iam.gserviceaccount.com".into(),
            audience: "https://poller.example".into(),
            deadline: Duration::from_secs(60),
        };
        let sent = || match request("q", &object("a", 1), &target).task.unwrap().message_type {
            Some(MessageType::HttpRequest(call)) => call.headers.get("traceparent").cloned(),
            other => panic!("{other:?}"),
        };
        assert_eq!(sent(), None);
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let _current = brigade_telemetry::remote(trace).unwrap().attach();
        assert_eq!(sent().unwrap(), trace);
    }

    #[test]
    fn a_deadline_is_one_that_the_service_takes_and_longer_than_this_pollers() {
        for (given, taken) in [(1, 15), (600, 610), (100_000, 1_800)] {
            let target = Target {
                url: "https://poller.example/process".parse().unwrap(),
                account: "tasks@p.iam.gserviceaccount.com".into(),
                audience: "https://poller.example".into(),
                deadline: Duration::from_secs(given),
            };
            let task = request("projects/p/locations/l/queues/q", &object("a", 1), &target).task;
            assert_eq!(task.unwrap().dispatch_deadline.unwrap().seconds, taken);
        }
    }
}
