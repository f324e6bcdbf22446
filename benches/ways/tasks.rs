//! Named tasks into a queue, which is a gRPC server of this process.

use std::{convert::Infallible, future::Ready, time::Duration};

use axum::{Router, body::Body, http::Request, response::Response, routing::post_service};
use brigade_poller::tasks::{CloudTasks, Enqueued, Queue as _, Target, TasksSettings};
use brigade_storage::Object;
use googleapis_tonic_google_cloud_tasks_v2::google::cloud::tasks::v2::{
    CreateTaskRequest, HttpMethod, HttpRequest, OidcToken, Task,
    cloud_tasks_client::CloudTasksClient, http_request::AuthorizationHeader, task::MessageType,
};
use serde_json::json;
use tokio::runtime::Runtime;
use tonic::{
    Status,
    server::{Grpc, UnaryService},
    transport::Endpoint,
};
use tonic_prost::ProstCodec;
use tower::service_fn;
use url::Url;

use crate::{
    Scale, rate,
    rounds::{Paired, paired},
    system::System,
    wiring::{ACCOUNT, bound},
};

const QUEUE: &str = "projects/p/locations/europe-west1/queues/objects";
const AT_ONCE: usize = 32;

/// Answers each task with itself.
#[derive(Clone)]
struct Echo;

impl UnaryService<CreateTaskRequest> for Echo {
    type Response = Task;
    type Future = Ready<Result<tonic::Response<Task>, Status>>;

    fn call(&mut self, request: tonic::Request<CreateTaskRequest>) -> Self::Future {
        let task = request.into_inner().task.unwrap_or_default();
        std::future::ready(Ok(tonic::Response::new(task)))
    }
}

async fn serve() -> Url {
    let (listener, url) = bound().await;
    let create = service_fn(|request: Request<Body>| async {
        let mut grpc = Grpc::new(ProstCodec::<Task, CreateTaskRequest>::default());
        let answer: Response<_> = grpc.unary(Echo, request).await;
        Ok::<_, Infallible>(answer.map(Body::new))
    });
    let path = "/google.cloud.tasks.v2.CloudTasks/CreateTask";
    let app = Router::new().route(path, post_service(create));
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

pub(crate) fn measure(scale: &Scale, runtime: &Runtime, system: &System) -> Paired {
    let url = runtime.block_on(serve());
    let settings =
        TasksSettings { queue: QUEUE.into(), account: ACCOUNT.into(), endpoint: Some(url.clone()) };
    let target = Target {
        url: system.poller_url.join("process").unwrap(),
        account: ACCOUNT.into(),
        audience: system.poller_url.to_string(),
        deadline: Duration::from_secs(600),
    };
    system.lay(scale.objects);
    let (queue, bare, objects) = runtime.block_on(async {
        let queue = CloudTasks::new(&settings, target.clone()).unwrap();
        let channel = Endpoint::from_shared(url.to_string()).unwrap().tcp_nodelay(true);
        let bare = CloudTasksClient::new(channel.connect_lazy());
        (queue, bare, listed(system).await)
    });
    paired(
        scale.rounds,
        || {
            let enqueue = async |object: Object| {
                let enqueued = queue.enqueue(&object, Duration::from_secs(60)).await;
                assert_eq!(enqueued, Enqueued::Created);
            };
            runtime.block_on(rate(objects.clone(), AT_ONCE, enqueue))
        },
        || {
            let create = async |object: Object| {
                bare.clone().create_task(request(&object, &target)).await.unwrap();
            };
            runtime.block_on(rate(objects.clone(), AT_ONCE, create))
        },
    )
}

/// A task as the poller makes it, but for its name.
fn request(object: &Object, target: &Target) -> CreateTaskRequest {
    let body = json!({
        "bucket": object.bucket,
        "name": object.name,
        "generation": object.generation.to_string(),
    });
    let token = OidcToken {
        service_account_email: target.account.clone(),
        audience: target.audience.clone(),
    };
    let call = HttpRequest {
        url: target.url.to_string(),
        http_method: HttpMethod::Post.into(),
        headers: [("Content-Type".to_owned(), "application/json".to_owned())].into(),
        body: body.to_string().into_bytes(),
        authorization_header: Some(AuthorizationHeader::OidcToken(token)),
    };
    CreateTaskRequest {
        parent: QUEUE.to_owned(),
        task: Some(Task {
            name: format!("{QUEUE}/tasks/{}", object.generation),
            dispatch_deadline: target.deadline.try_into().ok(),
            message_type: Some(MessageType::HttpRequest(call)),
            ..Task::default()
        }),
        ..CreateTaskRequest::default()
    }
}

pub(crate) async fn listed(system: &System) -> Vec<Object> {
    let mut request = brigade_storage::ListRequest {
        prefix: "incoming/".into(),
        page_size: 1_000,
        ..brigade_storage::ListRequest::default()
    };
    let mut objects = Vec::new();
    loop {
        let page = system.bucket.list(&request).await.unwrap();
        objects.extend(page.objects);
        if page.next.is_empty() {
            return objects;
        }
        request.page_token = page.next;
    }
}
