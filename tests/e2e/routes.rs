//! Every route of the real services: a caller without a token learns of none of them, and finds only health.

use std::{collections::BTreeSet, fs, path::Path};

use brigade_worker::settings::WorkerSettings;
use prost::Message as _;
use prost_types::FileDescriptorSet;
use reqwest::{Client, Method, Response};
use serde_json::json;
use url::Url;

use crate::harness::{CALLER, POLLER, System};

/// What stands before the services, and after them.
const BESIDE: [&str; 3] = [
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    "/grpc.health.v1.Health/Watch",
];
/// What is nowhere, or looks as if it were somewhere else.
const UNKNOWN: [&str; 19] = [
    "/",
    "/nothing",
    "/poll/",
    "//poll",
    "/POLL",
    "/poll?access_token=x",
    "/events/x",
    "/health/",
    "/health/x",
    "//health",
    "/HEALTH",
    "/healthz/",
    "/healthz/x",
    "//healthz",
    "/HEALTHZ",
    "/grpc.health.v1.Health/List",
    "/grpc.health.v1.Health/Check/",
    "/brigade.v1.PollerService/Nothing",
    "/unknown.Service/Method",
];
const CHECK: &str = "/grpc.health.v1.Health/Check";

/// `/package.Service/Method` of every RPC of the contract.
fn rpcs() -> Vec<String> {
    let set = FileDescriptorSet::decode(brigade_proto::FILE_DESCRIPTOR_SET).unwrap();
    let mut rpcs = Vec::new();
    for file in &set.file {
        for service in &file.service {
            for method in &service.method {
                let (package, service, method) = (file.package(), service.name(), method.name());
                rpcs.push(format!("/{package}.{service}/{method}"));
            }
        }
    }
    assert!(rpcs.len() > 1, "{rpcs:?}");
    rpcs
}

/// Every path that a source of the services gives to a router, so that one which is new is walked too.
fn routes() -> BTreeSet<String> {
    let mut routes = BTreeSet::new();
    let services = Path::new(env!("CARGO_MANIFEST_DIR")).join("services");
    let mut paths: Vec<_> = ["runtime", "poller", "worker", "brigade"]
        .map(|name| services.join(name).join("src"))
        .into();
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(path).unwrap();
            paths.extend(entries.map(|entry| entry.unwrap().path()));
            continue;
        }
        let source = fs::read_to_string(path).unwrap();
        let after = source.split(".route(\"").skip(1);
        routes.extend(after.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
    }
    routes
}

/// All that is closed, of both services together: what one has is unknown to the other, and closed there too.
fn closed() -> BTreeSet<String> {
    let known =
        routes().into_iter().filter(|route| !["/health", "/healthz"].contains(&route.as_str()));
    let beside = BESIDE.iter().chain(&UNKNOWN);
    let mut closed: BTreeSet<_> = beside.map(ToString::to_string).chain(rpcs()).collect();
    closed.extend(known);
    for route in ["/poll", "/events", "/process"] {
        assert!(closed.contains(route), "{route} is not found: {closed:?}");
    }
    closed
}

/// The real poller, and the real worker with its sample.
async fn services() -> System {
    System::with_worker(WorkerSettings::default()).await
}

/// A call over HTTP/2 that speaks gRPC, with an empty message.
async fn grpc(service: &Url, path: &str, token: Option<&str>) -> Response {
    let client = Client::builder().http2_prior_knowledge().build().unwrap();
    let url = format!("{}{path}", service.as_str().trim_end_matches('/'));
    let request = client
        .post(url)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(vec![0; 5]);
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    request.send().await.unwrap()
}

/// The status of an answer without a message.
fn status(answer: &Response) -> Option<&str> {
    assert_eq!(answer.status(), 200);
    Some(answer.headers().get("grpc-status")?.to_str().unwrap())
}

fn token(system: &System, service: &Url, caller: &str) -> String {
    let audience = brigade_client::identity::origin(service);
    let issuer = system.emulator.identity();
    issuer.sign(&issuer.claims(caller, &audience), &json!({}))
}

#[tokio::test]
async fn no_route_of_either_service_answers_without_a_token() {
    let system = services().await;
    let client = Client::new();
    for service in [&system.poller, &system.worker] {
        let origin = service.as_str().trim_end_matches('/');
        for path in closed() {
            for method in [
                Method::GET,
                Method::POST,
                Method::PUT,
                Method::DELETE,
                Method::OPTIONS,
                Method::HEAD,
            ] {
                let request = client.request(method.clone(), format!("{origin}{path}"));
                let answer = request.send().await.unwrap();
                assert_eq!(answer.status(), 401, "{method} {service} {path}");
                assert!(answer.headers().contains_key("www-authenticate"));
            }
            let answer = grpc(service, &path, None).await;
            assert_eq!(status(&answer), Some("16"), "{service} {path}");
        }
    }
}

#[tokio::test]
async fn health_alone_answers_everybody() {
    let system = services().await;
    for service in [&system.poller, &system.worker] {
        for path in ["health", "healthz"] {
            let answer = reqwest::get(service.join(path).unwrap()).await.unwrap();
            assert_eq!(answer.status(), 200, "{path}");
            assert_eq!(answer.text().await.unwrap(), "ok\n", "{path}");
        }
        let answer = grpc(service, CHECK, None).await;
        assert_eq!(status(&answer), None, "it comes with a message");
        // SERVING, the first value of the first field.
        assert_eq!(answer.bytes().await.unwrap()[5..], [8, 1]);
    }
}

/// So that what is closed above is closed for want of a token, and not for want of a route.
#[tokio::test]
async fn with_a_token_each_service_has_its_own_routes_and_no_other() {
    let system = services().await;
    let client = Client::new();
    let of_the_poller =
        (&system.poller, CALLER, "PollerService InboxService", "poll events process");
    let of_the_worker = (&system.worker, POLLER, "WorkerService", "process");
    for (service, caller, own, paths) in [of_the_poller, of_the_worker] {
        let token = token(&system, service, caller);
        for path in ["poll", "events", "process", "nothing"] {
            let request = client.post(service.join(path).unwrap()).bearer_auth(&token);
            let answer = request.send().await.unwrap().status();
            let expected = paths.split(' ').any(|own| own == path);
            assert_eq!(answer != 404, expected, "{service} {path}: {answer}");
            assert_ne!(answer, 401);
        }
        for path in rpcs().iter().map(String::as_str).chain(BESIDE) {
            let answer = grpc(service, path, Some(&token)).await;
            let expected = BESIDE.contains(&path) || own.split(' ').any(|own| path.contains(own));
            let status = status(&answer);
            assert_eq!(status != Some("12"), expected, "{service} {path}: {status:?}");
            assert_ne!(status, Some("16"));
        }
    }
}
