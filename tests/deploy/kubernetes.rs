//! The pod of `deploy/kubernetes/`: what it shares with the services of Cloud Run, and what keeps it closed.

use std::fs;

use brigade::cli::Cli;
use brigade_runtime::settings::{names, variables};
use clap::CommandFactory as _;
use serde_json::{Value, json};

use super::yaml;

const METADATA: &str = "GCE_METADATA_HOST";

fn manifest() -> Vec<Value> {
    let path = super::files("yaml").into_iter().find(|path| path.ends_with("brigade.yaml"));
    let text = fs::read_to_string(path.unwrap()).unwrap();
    text.split("\n---\n").map(|document| serde_saphyr::from_str(document).unwrap()).collect()
}

fn pod() -> Value {
    let deployment = manifest().into_iter().find(|one| one["kind"] == "Deployment").unwrap();
    deployment.pointer("/spec/template/spec").unwrap().clone()
}

/// The sidecars in the order in which they start, and then the container that polls.
fn containers() -> Vec<Value> {
    let pod = pod();
    let list = |kind: &str| pod[kind].as_array().unwrap().clone();
    [list("initContainers"), list("containers")].concat()
}

#[test]
fn the_worker_starts_before_the_poller_and_ends_after_it() {
    let containers = containers();
    let names: Vec<_> = containers.iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["worker", "poller", "poll"]);
    for sidecar in &containers[..2] {
        assert_eq!(sidecar["restartPolicy"], "Always");
    }
    // The worker and the poller take 10 s each at most.
    assert!(pod()["terminationGracePeriodSeconds"].as_u64().unwrap() > 20);
}

#[test]
fn the_services_have_the_settings_and_probes_that_cloud_run_gives_them() {
    let known = variables(&Cli::command());
    for container in &containers()[..2] {
        let name = container["name"].as_str().unwrap();
        let service = yaml::service(name);
        let (mut pod, mut cloud_run) =
            (yaml::variables(container), yaml::variables(yaml::container(&service)));
        assert!(pod.remove(METADATA).is_some());
        let port = pod.remove(names::PORT).unwrap();
        assert!(pod.keys().all(|name| known.contains(name)), "{pod:?}");
        // What differs: no front end, one account, addresses on loopback, and /tmp on a disk.
        cloud_run.remove(names::PUBLIC_URL);
        assert!(pod.keys().eq(cloud_run.keys()), "{pod:?}");
        let own = "http://127.0.0.1:";
        for (setting, value) in [
            (names::AUTH, "verify"),
            (names::ALLOWED_CALLERS, "brigade@${PROJECT}.iam.gserviceaccount.com"),
            (names::AUDIENCE, &format!("{own}{port}")),
            ("WORKER_URL", &format!("{own}8081")),
            (names::MAX_SIZE, "1GiB"),
        ] {
            cloud_run.entry(setting.into()).and_modify(|old| value.clone_into(old));
        }
        assert_eq!(pod, cloud_run, "{name}");
        let number: u64 = port.parse().unwrap();
        assert_eq!(container["ports"], json!([{ "containerPort": number }]));
        for probe in ["startupProbe", "livenessProbe"] {
            let mut expected = yaml::container(&service)[probe].clone();
            expected["grpc"]["port"] = number.into();
            assert_eq!(container[probe], expected, "{name}");
        }
    }
}

#[test]
fn a_pod_on_kubernetes_sends_its_tokens_over_loopback_alone() {
    let containers = containers();
    let poll = yaml::variables(&containers[2]);
    let poller = yaml::variables(&containers[1]);
    assert_eq!(poll[names::POLLER], poller[names::AUDIENCE]);
    // On loopback a command calls without a token unless its environment names a source.
    assert!(poll.contains_key(METADATA));
    assert_eq!(poller["WORKER_URL"], yaml::variables(&containers[0])[names::AUDIENCE]);
}

#[test]
fn a_pod_on_kubernetes_is_closed_to_other_pods_and_has_no_more_than_it_needs() {
    let policy = manifest().into_iter().find(|one| one["kind"] == "NetworkPolicy").unwrap();
    assert_eq!(policy.pointer("/spec/policyTypes"), Some(&json!(["Ingress"])));
    assert_eq!(policy.pointer("/spec/ingress"), None);
    let pod = pod();
    assert_eq!(pod["automountServiceAccountToken"], false);
    // Of a Service named brigade-x, Kubernetes makes BRIGADE_X_PORT: an unknown setting, with which nothing starts.
    assert_eq!(pod["enableServiceLinks"], false);
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    for container in containers() {
        let closed = json!({
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": { "drop": ["ALL"] },
        });
        assert_eq!(container["securityContext"], closed);
        assert!(container["resources"]["limits"]["memory"].is_string());
    }
}
