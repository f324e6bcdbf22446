//! The whole worker over a real socket, through tonic's client; and its HTTP route.

use std::{fmt::Write as _, time::Duration};

use axum::{
    body::{Body, to_bytes},
    http::{Request, Response, StatusCode},
};
use brigade_proto::{
    MAX_MESSAGE,
    v1::{Object, ProcessRequest, worker_service_client::WorkerServiceClient},
};
use brigade_runtime::serve::{Limits, serve};
use brigade_sim::Sim;
use brigade_storage::{Error, Kind, Operation};
use tokio::{net::TcpListener, sync::Notify};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Code, transport::Channel};
use tonic_types::StatusExt as _;
use tower::ServiceExt as _;

use super::*;
use crate::{
    Job, Outcome, ProcessError,
    exec::ExecProcessor,
    sample::SleepStudy,
    tests::fixtures::{BUCKET, TellsWhenDropped, one_at_a_time, request, settings, sim, uploaded},
};

/// Does what the object's name says.
#[derive(Default)]
struct Obedient {
    begun: Notify,
    dropped: Arc<Notify>,
    go_on: Notify,
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
            "retry" => Err(ProcessError::retry_after(Duration::from_millis(1_500), "not yet")),
            "superseded" => Err(ProcessError::superseded("another one is stored there")),
            "storage" => Err(storage(None)),
            "storage pause" => Err(storage(Some(Duration::from_secs(7)))),
            "misconfigured" => Err(ProcessError::misconfigured("set X")),
            "panic" => panic!("index out of bounds: {}", job.attempt()),
            "wait" => {
                self.begun.notify_one();
                self.go_on.notified().await;
                Ok(Outcome::summary("waited"))
            }
            _ => Ok(Outcome::summary("ok").output("gs://data/features/a").label("days", "10")),
        }
    }
}

fn storage(retry_after: Option<Duration>) -> ProcessError {
    let kind = Kind::Busy { retry_after };
    Error::new(kind, Operation::Read, BUCKET, "in/a", "SlowDown").into()
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
    tokio::spawn(serve(listener, router, Limits::default(), stop.clone().cancelled_owned()));
    let client = WorkerServiceClient::connect(url).await.unwrap();
    Served { client, _stop: stop.drop_guard() }
}

async fn obedient() -> (Arc<Obedient>, Served) {
    let processor = Arc::new(Obedient::default());
    let router = routes(processor.clone(), Arc::new(sim()), &one_at_a_time());
    (processor, served(router).await)
}

/// A panic comes first: the worker goes on.
#[tokio::test]
async fn every_answer_is_the_same_over_grpc_and_over_http() {
    let (_, mut served) = obedient().await;
    let mut wrong = named("");
    wrong.object.as_mut().unwrap().generation = 0;
    let names = ["panic", "a", "refuse", "retry", "superseded", "misconfigured", "storage"];
    let names = names.into_iter().chain(["storage pause"]);
    let mut table = String::new();
    for request in names.map(named).chain([ProcessRequest::default(), wrong]) {
        let grpc = match served.client.process(request.clone()).await {
            Ok(response) => format!("{:?}", response.into_inner()),
            Err(status) => {
                let details = status.get_error_details();
                let reason = &details.error_info().unwrap().reason;
                let delay = details.retry_info().and_then(|info| info.retry_delay);
                let wrong = details.bad_request().map(|wrong| &wrong.field_violations);
                let (code, message) = (status.code(), status.message());
                format!("{code:?} {message:?} {reason} {delay:?} {wrong:?}")
            }
        };
        let (status, delay, body) = post(serde_json::to_vec(&request).unwrap()).await;
        let name = request.object.map(|object| object.name);
        let _ = writeln!(table, "{name:?}\n  gRPC {grpc}\n  HTTP {status} {delay:?} {body}");
    }
    insta::assert_snapshot!(table);
}

#[tokio::test]
async fn the_end_of_a_program_arrives_over_grpc_and_over_http() {
    for (end, expected) in [
        ("exit 3", "exit status 3"),
        ("exit 75", "exit status 75"),
        ("exit 78", "exit status 78"),
        ("kill -KILL $$", "signal 9"),
    ] {
        let (sim, object) = uploaded("in/a", "x");
        let program = format!("sh -c '{end}'").parse().unwrap();
        let router = routes(ExecProcessor::new(program), Arc::new(sim), &settings());
        let mut served = served(router.clone()).await;
        let status = served.client.process(request(&object)).await.unwrap_err();
        let details = status.get_error_details();
        assert_eq!(details.error_info().unwrap().metadata["exit"], expected);
        let body = serde_json::to_vec(&request(&object)).unwrap();
        let call = Request::post("/process").body(Body::from(body)).unwrap();
        let (_, _, body) = read(router.oneshot(call).await.unwrap()).await;
        assert_eq!(body["exit"], expected, "{body}");
    }
}

#[tokio::test]
async fn a_worker_that_is_full_names_no_delay_and_has_a_free_slot_afterwards() {
    let (processor, served) = obedient().await;
    let mut client = served.client.clone();
    let waiting = tokio::spawn(async move { client.process(named("wait")).await });
    processor.begun.notified().await;
    let mut client = served.client.clone();
    let status = client.process(named("a")).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    let details = status.get_error_details();
    assert_eq!(details.error_info().unwrap().reason, "WORKER_BUSY");
    assert!(details.retry_info().is_none());
    processor.go_on.notify_one();
    let response = waiting.await.unwrap().unwrap();
    assert_eq!(response.into_inner().summary, "waited");
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
    let status = WorkerServiceClient::new(router).process(request).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(before.elapsed().as_secs(), 90);
    processor.dropped.notified().await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_without_a_deadline_gets_the_workers_own() {
    let processor = Arc::new(Obedient::default());
    let short = WorkerSettings { timeout: Duration::from_secs(5), ..settings() };
    let router = routes(processor, Arc::new(sim()), &short);
    let status = WorkerServiceClient::new(router).process(named("wait")).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(status.message(), "the processor did not end within 5s");
}

#[tokio::test]
async fn a_message_beyond_the_limit_is_not_read() {
    let (_, mut served) = obedient().await;
    let request = named(&"x".repeat(MAX_MESSAGE));
    let status = served.client.process(request).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange);
}

#[tokio::test]
async fn the_sample_writes_a_recordings_features() {
    let recording = include_bytes!("../../../../samples/sleepstudy/subject-308.csv").as_slice();
    let (sim, object) = uploaded("in/subject-308.csv", recording);
    let mut served = served(routes(SleepStudy, Arc::new(sim.clone()), &settings())).await;
    let response = served.client.process(request(&object)).await.unwrap();
    let response = response.into_inner();
    assert_eq!(response.summary, "subject 308: slope +21.76 ms/day over 10 days");
    assert_eq!(response.outputs, ["gs://data/features/in/subject-308.json"]);
    let json = sim.content(BUCKET, "features/in/subject-308.json").unwrap();
    let features: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(features["subject"], "308");
    assert_eq!(features["days"], 10);
}

#[tokio::test]
async fn the_sample_refuses_a_broken_recording_by_line_and_column() {
    let recording = include_bytes!("../../../../samples/sleepstudy/subject-399.csv").as_slice();
    let (sim, object) = uploaded("in/subject-399.csv", recording);
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
    let request = Request::post("/process").body(body.into()).unwrap();
    read(router.oneshot(request).await.unwrap()).await
}

async fn read(response: Response<Body>) -> (StatusCode, Option<String>, serde_json::Value) {
    let retry_after =
        response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
    let status = response.status();
    let body = to_bytes(response.into_body(), MAX_MESSAGE).await.unwrap();
    (status, retry_after, serde_json::from_slice(&body).unwrap_or_default())
}

#[tokio::test]
async fn http_and_grpc_share_one_limit() {
    let processor = Arc::new(Obedient::default());
    let router = routes(processor.clone(), Arc::new(sim()), &one_at_a_time());
    let mut grpc = WorkerServiceClient::new(router.clone());
    let waiting = tokio::spawn(async move { grpc.process(named("wait")).await });
    processor.begun.notified().await;
    let body = serde_json::to_vec(&named("a")).unwrap();
    let request = Request::post("/process").body(Body::from(body)).unwrap();
    let response = router.oneshot(request).await.unwrap();
    let (status, retry_after, _) = read(response).await;
    assert_eq!((status, retry_after.as_deref()), (StatusCode::TOO_MANY_REQUESTS, None));
    processor.go_on.notify_one();
    waiting.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_body_that_is_no_request_is_400_and_an_endless_one_413() {
    let unknown = r#"{"objekt":{}}"#;
    let text = r#"{"object":{"generation":"x"}}"#;
    for body in ["", "{", "[]", unknown, text, "{}"] {
        let (status, _, answer) = post(body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        assert!(answer["error"].is_string(), "{body}");
    }
    let (status, _, _) = post("x".repeat(MAX_MESSAGE + 1)).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
}
