//! The whole worker over a real socket, through tonic's client; and its HTTP route.

use std::time::Duration;

use axum::{
    body::{Body, to_bytes},
    http::{Request, Response, StatusCode},
};
use brigade_proto::{
    MAX_MESSAGE,
    v1::{Object, ProcessRequest, ProcessResponse, worker_service_client::WorkerServiceClient},
};
use brigade_runtime::serve::{Limits, serve};
use brigade_sim::Sim;
use tokio::{net::TcpListener, sync::Notify};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Code, transport::Channel};
use tonic_types::StatusExt as _;
use tower::ServiceExt as _;

use super::*;
use crate::{
    Job, Outcome, ProcessError,
    fixtures::{BUCKET, request, settings, sim},
    sample::SleepStudy,
};

/// Does what the object's name says.
#[derive(Default)]
struct Obedient {
    begun: Notify,
    dropped: Arc<Notify>,
    go_on: Notify,
}

struct TellsWhenDropped(Arc<Notify>);

impl Drop for TellsWhenDropped {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl Processor for Obedient {
    type Error = ProcessError;

    async fn process(&self, job: &Job) -> Result<Outcome, ProcessError> {
        let _tells = TellsWhenDropped(self.dropped.clone());
        match job.object().name.as_str() {
            "refuse" => {
                Err(ProcessError::refuse("line 2 is not a number")
                    .with_violation("line 2", "\"x\""))
            }
            "retry" => Err(ProcessError::retry_after(
                Duration::from_millis(1_500),
                "not yet",
            )),
            "superseded" => Err(ProcessError::superseded("another one is stored there")),
            "misconfigured" => Err(ProcessError::misconfigured("set X")),
            "panic" => panic!("index out of bounds: {}", job.attempt()),
            "wait" => {
                self.begun.notify_one();
                self.go_on.notified().await;
                Ok(Outcome::summary("waited"))
            }
            _ => Ok(Outcome::summary("ok")
                .output("gs://data/features/a")
                .label("days", "10")),
        }
    }
}

fn named(name: &str) -> ProcessRequest {
    ProcessRequest {
        object: Some(Object {
            bucket: BUCKET.into(),
            name: name.into(),
            generation: 7,
            ..Object::default()
        }),
        ..ProcessRequest::default()
    }
}

struct Served {
    client: WorkerServiceClient<Channel>,
    _stop: DropGuard,
}

async fn served(router: Router) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    tokio::spawn(serve(
        listener,
        router,
        Limits::default(),
        stop.clone().cancelled_owned(),
    ));
    let client = WorkerServiceClient::connect(url).await.unwrap();
    Served {
        client,
        _stop: stop.drop_guard(),
    }
}

async fn obedient() -> (Arc<Obedient>, Served) {
    let processor = Arc::new(Obedient::default());
    let one = WorkerSettings {
        concurrency: 1,
        ..settings()
    };
    let router = routes(processor.clone(), Arc::new(sim()), &one);
    (processor, served(router).await)
}

async fn answer(name: &str) -> Result<ProcessResponse, tonic::Status> {
    let (_, mut served) = obedient().await;
    served
        .client
        .process(named(name))
        .await
        .map(tonic::Response::into_inner)
}

#[tokio::test]
async fn an_outcome_travels_with_its_outputs_and_labels() {
    let response = answer("a").await.unwrap();
    assert_eq!(response.summary, "ok");
    assert_eq!(response.outputs, ["gs://data/features/a"]);
    assert_eq!(response.labels["days"], "10");
}

#[tokio::test]
async fn a_refusal_is_invalid_argument_and_says_where() {
    let status = answer("refuse").await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::InvalidArgument, "line 2 is not a number")
    );
    let details = status.get_error_details();
    assert_eq!(
        details.bad_request().unwrap().field_violations[0].field,
        "line 2"
    );
    assert_eq!(details.error_info().unwrap().reason, "OBJECT_REFUSED");
}

#[tokio::test]
async fn a_retry_is_unavailable_and_says_when() {
    let status = answer("retry").await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    let delay = status.get_error_details().retry_info().unwrap().retry_delay;
    assert_eq!(delay, Some(Duration::from_millis(1_500)));
}

#[tokio::test]
async fn a_superseded_object_is_aborted_and_a_wrong_setup_permission_denied() {
    assert_eq!(
        answer("superseded").await.unwrap_err().code(),
        Code::Aborted
    );
    assert_eq!(
        answer("misconfigured").await.unwrap_err().code(),
        Code::PermissionDenied
    );
}

#[tokio::test]
async fn a_panic_is_internal_with_its_message_and_the_worker_goes_on() {
    let (_, mut served) = obedient().await;
    let status = served.client.process(named("panic")).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert_eq!(
        status.message(),
        "the processor panicked: index out of bounds: 1"
    );
    served.client.process(named("a")).await.unwrap();
}

#[tokio::test]
async fn a_worker_that_is_full_says_when_to_come_again_and_has_room_afterwards() {
    let (processor, served) = obedient().await;
    let mut client = served.client.clone();
    let waiting = tokio::spawn(async move { client.process(named("wait")).await });
    processor.begun.notified().await;
    let mut client = served.client.clone();
    let status = client.process(named("a")).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(
        status
            .get_error_details()
            .retry_info()
            .unwrap()
            .retry_delay
            .is_some()
    );
    processor.go_on.notify_one();
    assert_eq!(
        waiting.await.unwrap().unwrap().into_inner().summary,
        "waited"
    );
    client.process(named("a")).await.unwrap();
}

#[tokio::test]
async fn a_caller_who_goes_away_stops_the_work() {
    let (processor, served) = obedient().await;
    let mut client = served.client.clone();
    let waiting = tokio::spawn(async move { client.process(named("wait")).await });
    processor.begun.notified().await;
    waiting.abort();
    processor.dropped.notified().await;
}

#[tokio::test(start_paused = true)]
async fn the_callers_deadline_ends_the_work() {
    let processor = Arc::new(Obedient::default());
    let router = routes(processor.clone(), Arc::new(sim()), &settings());
    let mut request = tonic::Request::new(named("wait"));
    request.set_timeout(Duration::from_secs(90));
    let before = tokio::time::Instant::now();
    // Without a channel in between, which would keep a timer of its own.
    let status = WorkerServiceClient::new(router)
        .process(request)
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(before.elapsed().as_secs(), 90);
    processor.dropped.notified().await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_without_a_deadline_gets_the_workers_own() {
    let processor = Arc::new(Obedient::default());
    let short = WorkerSettings {
        timeout: Duration::from_secs(5),
        ..settings()
    };
    let router = routes(processor, Arc::new(sim()), &short);
    let status = WorkerServiceClient::new(router)
        .process(named("wait"))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(status.message(), "the processor did not end within 5s");
}

#[tokio::test]
async fn a_request_without_an_object_is_refused_by_its_fields() {
    let (_, mut served) = obedient().await;
    let status = served
        .client
        .process(ProcessRequest::default())
        .await
        .unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::InvalidArgument, "object is missing")
    );
    let mut wrong = named("");
    wrong.object.as_mut().unwrap().generation = 0;
    let status = served.client.process(wrong).await.unwrap_err();
    let fields: Vec<_> = status
        .get_error_details()
        .bad_request()
        .unwrap()
        .field_violations
        .iter()
        .map(|violation| violation.field.clone())
        .collect();
    assert_eq!(fields, ["object.name", "object.generation"]);
}

#[tokio::test]
async fn a_message_beyond_the_limit_is_not_read() {
    let (_, mut served) = obedient().await;
    let status = served
        .client
        .process(named(&"x".repeat(MAX_MESSAGE)))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange);
}

#[tokio::test]
async fn the_sample_writes_a_recordings_features() {
    let sim = sim();
    let recording = include_bytes!("../../../../samples/sleepstudy/subject-308.csv").as_slice();
    let object = sim.upload(BUCKET, "in/subject-308.csv", recording).unwrap();
    let mut served = served(routes(SleepStudy, Arc::new(sim.clone()), &settings())).await;
    let response = served
        .client
        .process(request(&object))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        response.summary,
        "subject 308: slope +21.76 ms/day over 10 days"
    );
    assert_eq!(response.outputs, ["gs://data/features/subject-308.json"]);
    let json = sim.content(BUCKET, "features/subject-308.json").unwrap();
    let features: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(features["subject"], "308");
    assert_eq!(features["days"], 10);
}

#[tokio::test]
async fn the_sample_refuses_a_broken_recording_by_line_and_column() {
    let sim = sim();
    let recording = include_bytes!("../../../../samples/sleepstudy/subject-399.csv").as_slice();
    let object = sim.upload(BUCKET, "in/subject-399.csv", recording).unwrap();
    let mut served = served(routes(SleepStudy, Arc::new(sim), &settings())).await;
    let status = served.client.process(request(&object)).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let details = status.get_error_details();
    let violation = &details.bad_request().unwrap().field_violations[0];
    assert_eq!(violation.field, "line 4, column reaction_ms");
}

/// `POST /process` with this body.
async fn post(body: impl Into<Body>) -> (StatusCode, Option<String>, serde_json::Value) {
    let router = routes(Obedient::default(), Arc::new(Sim::new()), &settings());
    read(
        router
            .oneshot(Request::post("/process").body(body.into()).unwrap())
            .await
            .unwrap(),
    )
    .await
}

async fn read(response: Response<Body>) -> (StatusCode, Option<String>, serde_json::Value) {
    let retry_after = response
        .headers()
        .get("retry-after")
        .map(|value| value.to_str().unwrap().to_owned());
    let status = response.status();
    let body = to_bytes(response.into_body(), MAX_MESSAGE).await.unwrap();
    (
        status,
        retry_after,
        serde_json::from_slice(&body).unwrap_or_default(),
    )
}

async fn post_named(name: &str) -> (StatusCode, Option<String>, serde_json::Value) {
    post(serde_json::to_vec(&named(name)).unwrap()).await
}

#[tokio::test]
async fn http_answers_as_grpc_does() {
    let (status, _, body) = post_named("a").await;
    assert_eq!((status, &body["summary"]), (StatusCode::OK, &"ok".into()));
    let (status, retry_after, body) = post_named("refuse").await;
    assert_eq!(
        (status, retry_after),
        (StatusCode::INTERNAL_SERVER_ERROR, None)
    );
    assert_eq!(body["error"], "line 2 is not a number");
    assert_eq!(body["reason"], "OBJECT_REFUSED");
    let (status, retry_after, _) = post_named("retry").await;
    assert_eq!(
        (status, retry_after.as_deref()),
        (StatusCode::SERVICE_UNAVAILABLE, Some("2"))
    );
    let (status, retry_after, _) = post_named("superseded").await;
    assert_eq!(
        (status, retry_after.as_deref()),
        (StatusCode::SERVICE_UNAVAILABLE, Some("1"))
    );
    assert_eq!(
        post_named("panic").await.0,
        StatusCode::INTERNAL_SERVER_ERROR
    );
    assert_eq!(post_named("misconfigured").await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn http_and_grpc_share_one_limit() {
    let processor = Arc::new(Obedient::default());
    let one = WorkerSettings {
        concurrency: 1,
        ..settings()
    };
    let router = routes(processor.clone(), Arc::new(sim()), &one);
    let mut grpc = WorkerServiceClient::new(router.clone());
    let waiting = tokio::spawn(async move { grpc.process(named("wait")).await });
    processor.begun.notified().await;
    let body = serde_json::to_vec(&named("a")).unwrap();
    let response = router
        .oneshot(Request::post("/process").body(Body::from(body)).unwrap())
        .await
        .unwrap();
    let (status, retry_after, _) = read(response).await;
    assert_eq!(
        (status, retry_after.as_deref()),
        (StatusCode::TOO_MANY_REQUESTS, Some("1"))
    );
    processor.go_on.notify_one();
    waiting.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_body_that_is_no_request_is_400_and_an_endless_one_413() {
    for body in [
        "",
        "{",
        "[]",
        "{\"objekt\":{}}",
        "{\"object\":{\"generation\":\"x\"}}",
        "{}",
    ] {
        let (status, _, answer) = post(body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        assert!(answer["error"].is_string(), "{body}");
    }
    let (status, _, _) = post("x".repeat(MAX_MESSAGE + 1)).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
}
