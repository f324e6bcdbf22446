//! The pod of `deploy/kubernetes/`: its containers' arguments and variables, as processes on loopback.

use std::{fs, net::TcpListener, process::Stdio};

use serde_json::Value;

use crate::{
    google::{BUCKET, Google, SERVICES},
    process::Process,
};

const METADATA: &str = "GCE_METADATA_HOST";

/// A container: its arguments and its variables.
type Container = (Vec<String>, Vec<(String, String)>);

/// The containers in the order in which they start, with our bucket, account and ports, and the emulator's metadata server.
fn containers(google: &Google) -> [Container; 3] {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let mut text = fs::read_to_string(format!("{root}/deploy/kubernetes/brigade.yaml")).unwrap();
    let ports = [0; 2].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    let [worker, poller] = ports.map(|port| port.local_addr().unwrap().port().to_string());
    let emulator = google.emulator.env();
    let (_, metadata) = emulator.iter().find(|(name, _)| name == METADATA).unwrap();
    for (written, ours) in [
        ("8081", &*worker),
        ("8080", &poller),
        ("metadata.google.internal", metadata),
        ("brigade@${PROJECT}.iam.gserviceaccount.com", SERVICES),
        ("${BUCKET}", BUCKET),
        ("${READERS}", ""),
        ("${OPERATORS}", ""),
    ] {
        assert!(text.contains(written), "{written}");
        text = text.replace(written, ours);
    }
    let deployment = text.split("\n---\n").find(|one| one.contains("kind: Deployment")).unwrap();
    let deployment: Value = serde_saphyr::from_str(deployment).unwrap();
    let pod = deployment.pointer("/spec/template/spec").unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let list = |value: &Value| value.as_array().unwrap().clone();
    [("initContainers", 0), ("initContainers", 1), ("containers", 0)].map(|(kind, place)| {
        let container = &pod[kind][place];
        let variables = list(&container["env"]).into_iter();
        let variables = variables.map(|one| (text(&one["name"]), text(&one["value"])));
        (list(&container["args"]).iter().map(text).collect(), variables.collect())
    })
}

/// Starts a service, whose source of tokens is the one that the manifest names.
async fn serve(google: &Google, (arguments, own): &Container) -> Process {
    let google = google.emulator.env().into_iter().filter(|(name, _)| name != METADATA);
    let bind = ("BRIGADE_BIND".to_owned(), "127.0.0.1".to_owned());
    let variables: Vec<_> = google.chain([bind]).chain(own.iter().cloned()).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    Process::serve(&arguments, &variables).await.0
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pod_for_kubernetes_processes_a_file_over_loopback_and_ends_in_its_order() {
    let google = Google::start().await;
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../../samples/sleepstudy/subject-308.csv");
    let content = fs::read_to_string(sample).unwrap();
    google.emulator.storage().put("incoming/subject-308.csv", content).unwrap();
    let [worker, poller, poll] = containers(&google);
    let worker = serve(&google, &worker).await;
    let poller = serve(&google, &poller).await;
    let arguments: Vec<_> = poll.0.iter().map(String::as_str).collect();
    let settled = |line: &str| line.contains("SETTLEMENT_PROCESSED").then_some(());
    let (poll, ()) =
        Process::start(&arguments, &poll.1, [Stdio::piped(), Stdio::null()], settled).await;
    let names = ["features/subject-308.json", "processed/subject-308.csv"];
    for process in [poll, poller, worker] {
        process.terminate();
        let (status, log) = process.ended().await;
        assert!(matches!(status.code(), Some(0 | 1)), "{status} {log}");
    }
    assert_eq!(google.names(BUCKET, ""), names);
}
