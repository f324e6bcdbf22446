//! An emulator of Cloud Tasks over a real gRPC socket: it keeps tasks by name, refuses a name that was used, and delivers
//! what it has on request, as the service does: by POST, with the token of the task's account.
//!
//! No emulator does the second: the one of Python's package index takes a name again at once.

use std::{
    collections::{BTreeMap, VecDeque},
    convert::Infallible,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Body, http::Request, response::Response, routing::post_service};
use brigade_emulator::identity::Issuer;
use googleapis_tonic_google_cloud_tasks_v2::google::cloud::tasks::v2::{
    CreateTaskRequest, HttpRequest, Task, http_request::AuthorizationHeader, task::MessageType,
};
use tonic::{
    Code, Status,
    server::{Grpc, UnaryService},
};
use tonic_prost::ProstCodec;
use tower::service_fn;
use url::Url;

use crate::harness::{loopback, url};

pub(crate) const QUEUE: &str = "projects/p/locations/europe-west1/queues/objects";

/// One queue.
#[derive(Clone, Default)]
pub(crate) struct Queue(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    tasks: BTreeMap<String, Task>,
    waiting: VecDeque<String>,
    /// What the next calls are answered instead.
    refusals: VecDeque<Code>,
    calls: usize,
}

// === impl Queue ===

impl Queue {
    /// Serves it until the test ends, and says where.
    pub(crate) async fn start() -> (Self, Url) {
        let queue = Self::default();
        let listener = loopback().await;
        let at = url(&listener);
        let create = {
            let queue = queue.clone();
            service_fn(move |request: Request<Body>| {
                let queue = queue.clone();
                async move {
                    let mut grpc = Grpc::new(ProstCodec::<Task, CreateTaskRequest>::default());
                    let answer: Response<_> = grpc.unary(queue, request).await;
                    Ok::<_, Infallible>(answer.map(Body::new))
                }
            })
        };
        let path = "/google.cloud.tasks.v2.CloudTasks/CreateTask";
        let app = Router::new().route(path, post_service(create));
        tokio::spawn(async move { axum::serve(listener, app).await });
        (queue, at)
    }

    /// Answers the next calls with these codes.
    pub(crate) fn refuse(&self, codes: impl IntoIterator<Item = Code>) {
        self.0.lock().unwrap().refusals.extend(codes);
    }

    /// The tasks that were ever made, by name.
    pub(crate) fn tasks(&self) -> BTreeMap<String, Task> {
        self.0.lock().unwrap().tasks.clone()
    }

    /// How many tasks were asked for.
    pub(crate) fn calls(&self) -> usize {
        self.0.lock().unwrap().calls
    }

    /// Delivers every task that waits, once, and says what each was answered. What is not 2xx waits again.
    pub(crate) async fn deliver(&self, issuer: &Issuer) -> Vec<u16> {
        let waiting = std::mem::take(&mut self.0.lock().unwrap().waiting);
        let client = reqwest::Client::new();
        let mut answers = Vec::new();
        for name in waiting {
            let task = self.tasks().remove(&name).unwrap();
            let Some(MessageType::HttpRequest(call)) = task.message_type else {
                panic!("{name} is no HTTP task");
            };
            let status = deliver(&client, issuer, &name, call).await;
            if !(200..300).contains(&status) {
                self.0.lock().unwrap().waiting.push_back(name);
            }
            answers.push(status);
        }
        answers
    }

    fn create(&self, request: CreateTaskRequest) -> Result<Task, Status> {
        let mut state = self.0.lock().unwrap();
        state.calls += 1;
        if let Some(code) = state.refusals.pop_front() {
            return Err(Status::new(code, "said the queue"));
        }
        if request.parent != QUEUE {
            return Err(Status::not_found("Queue does not exist."));
        }
        let task = request.task.unwrap();
        let id = task.name.strip_prefix(&format!("{QUEUE}/tasks/")).unwrap();
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if id.is_empty() || id.len() > 500 || !id.bytes().all(legal) {
            return Err(Status::invalid_argument("Task name"));
        }
        if state.tasks.contains_key(&task.name) {
            return Err(Status::already_exists("Requested entity already exists"));
        }
        state.waiting.push_back(task.name.clone());
        state.tasks.insert(task.name.clone(), task.clone());
        Ok(task)
    }
}

impl UnaryService<CreateTaskRequest> for Queue {
    type Response = Task;
    type Future = std::future::Ready<Result<tonic::Response<Task>, Status>>;

    fn call(&mut self, request: tonic::Request<CreateTaskRequest>) -> Self::Future {
        let routed = request.metadata().get("x-goog-request-params").cloned();
        assert!(routed.unwrap().to_str().unwrap().starts_with("parent=projects%2F"));
        std::future::ready(self.create(request.into_inner()).map(tonic::Response::new))
    }
}

async fn deliver(client: &reqwest::Client, issuer: &Issuer, name: &str, call: HttpRequest) -> u16 {
    let Some(AuthorizationHeader::OidcToken(token)) = call.authorization_header else {
        panic!("{name} comes without a token");
    };
    let mut request = client
        .post(&call.url)
        .bearer_auth(issuer.mint(&token.service_account_email, &token.audience))
        .header("user-agent", "Google-Cloud-Tasks")
        .header("x-cloudtasks-queuename", "objects")
        .header("x-cloudtasks-taskname", name.rsplit('/').next().unwrap())
        .header("x-cloudtasks-taskretrycount", "0")
        .header("x-cloudtasks-taskexecutioncount", "0")
        .body(call.body);
    for (name, value) in call.headers {
        request = request.header(name, value);
    }
    request.send().await.unwrap().status().as_u16()
}
