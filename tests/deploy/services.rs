//! How the two services run, in all three ways to deploy them.

use std::collections::BTreeSet;

use brigade::cli::Cli;
use brigade_runtime::settings::{names, variables};
use clap::CommandFactory as _;
use serde_json::{Value, json};

use super::{gcloud, terraform, yaml};

/// The names in a `merge({ NAME = … }, …)` of the module.
fn of_terraform(local: &str) -> BTreeSet<String> {
    let text = &terraform::locals()[local];
    text.split(|c: char| !(c.is_ascii_uppercase() || c == '_'))
        .filter(|word| word.starts_with("BRIGADE_") || *word == "WORKER_URL")
        .map(str::to_owned)
        .collect()
}

fn of_gcloud(service: &str, recording: &str) -> BTreeSet<String> {
    let commands = gcloud::commands(recording);
    let name = format!("brigade-{service}");
    let deploys =
        |command: &&gcloud::Command| command.path() == "run deploy" && command.argument() == name;
    let command = commands.iter().find(deploys).unwrap();
    let settings = command.flag("--set-env-vars");
    let settings = settings.strip_prefix("^;^").unwrap();
    settings.split(';').map(|setting| setting.split_once('=').unwrap().0.to_owned()).collect()
}

fn of_yaml(service: &str) -> BTreeSet<String> {
    yaml::environment(&yaml::service(service)).into_keys().collect()
}

#[test]
fn every_setting_is_one_that_the_services_know() {
    let known = variables(&Cli::command());
    for service in ["poller", "worker"] {
        let mut all = of_terraform(&format!("{service}_settings"));
        all.extend(of_terraform("tasks_settings"));
        all.extend(of_terraform("events_settings"));
        all.extend(of_gcloud(service, gcloud::PLAIN));
        all.extend(of_gcloud(service, gcloud::WHOLE));
        all.extend(of_yaml(service));
        for name in all {
            assert!(known.contains(&name), "{service}: {name}");
        }
    }
}

#[test]
fn a_file_may_have_half_of_the_memory_that_a_worker_has_for_it() {
    let limit = |recording: &str| {
        let commands = gcloud::commands(recording);
        let deploys = |one: &&gcloud::Command| {
            one.path() == "run deploy" && one.argument() == "brigade-worker"
        };
        let command = commands.iter().find(deploys).unwrap();
        let settings = command.flag("--set-env-vars");
        let size = settings.split(';').find_map(|one| one.strip_prefix("BRIGADE_MAX_SIZE="));
        (command.flag("--memory"), size.unwrap().to_owned())
    };
    let own = |memory: &str, size: &str| (memory.to_owned(), size.to_owned());
    assert_eq!(limit(gcloud::PLAIN), own("1Gi", "128MiB"));
    assert_eq!(limit(gcloud::WHOLE), own("4Gi", "512MiB"));
    let yaml = yaml::service("worker");
    assert_eq!(yaml::environment(&yaml)[names::MAX_SIZE], "128MiB");
    let settings = &terraform::locals()["worker_settings"];
    let share = "floor(local.worker_memory / 2 / var.worker.concurrency)";
    assert!(settings.contains(share), "{settings}");
}

#[test]
fn the_doctor_runs_as_the_poller_with_its_settings() {
    let doctor = terraform::all("google_cloud_run_v2_job").remove(0);
    let template = doctor.block("template").unwrap();
    let template = terraform::blocks(&template.body, "template")[0];
    let account = terraform::attribute(&template.body, "service_account");
    assert_eq!(account, "google_service_account.poller.email");
    let commands = gcloud::commands(gcloud::PLAIN);
    let find = |path: &str, name: &str| {
        let is_it = |one: &&gcloud::Command| one.path() == path && one.argument() == name;
        commands.iter().find(is_it).unwrap()
    };
    let poller = find("run deploy", "brigade-poller");
    let doctor = find("run jobs deploy", "brigade-doctor");
    for flag in ["--set-env-vars", "--service-account", "--image"] {
        assert_eq!(doctor.flag(flag), poller.flag(flag));
    }
    assert_eq!(doctor.flag("--args"), "doctor");
}

#[test]
fn three_ways_to_deploy_give_the_services_the_same_settings() {
    let poller = of_yaml("poller");
    assert!(poller.contains(names::PUBLIC_URL), "the front end is proven");
    assert_eq!(of_gcloud("poller", gcloud::PLAIN), poller);
    assert_eq!(of_terraform("poller_settings"), poller);

    let worker = of_yaml("worker");
    assert_eq!(of_gcloud("worker", gcloud::PLAIN), worker);
    assert_eq!(of_terraform("worker_settings"), worker);
}

#[test]
fn cloud_run_lets_as_many_calls_into_an_instance_as_it_has_places() {
    for service in ["poller", "worker"] {
        let yaml = yaml::service(service);
        let places = yaml::environment(&yaml)[names::CONCURRENCY].clone();
        let calls = yaml.pointer("/spec/template/spec/containerConcurrency");
        assert_eq!(calls.unwrap().to_string(), places, "{service}");
        let name = format!("brigade-{service}");
        let commands = gcloud::commands(gcloud::PLAIN);
        let deploys = |command: &&gcloud::Command| {
            command.path() == "run deploy" && command.argument() == name
        };
        let command = commands.iter().find(deploys).unwrap();
        assert_eq!(command.flag("--concurrency"), places, "{service}");
        let setting = format!(";{}={places};", names::CONCURRENCY);
        assert!(command.flag("--set-env-vars").contains(&setting), "{service}");
    }
    let services = terraform::all("google_cloud_run_v2_service");
    let calls = |name: &str| {
        let service = services.iter().find(|service| service.name == name).unwrap();
        let template = service.block("template").unwrap();
        terraform::attribute(&template.body, "max_instance_request_concurrency")
    };
    assert!(calls("poller").contains("min(var.files_in_flight, 1000)"), "{}", calls("poller"));
    assert_eq!(calls("worker"), "var.worker.concurrency");
}

#[test]
fn the_front_ends_check_is_on_unless_the_poller_checks_signatures_itself() {
    for (recording, checks) in
        [(gcloud::PLAIN, "platform"), (gcloud::WHOLE, "platform"), (gcloud::VERIFY, "verify")]
    {
        for command in gcloud::commands(recording) {
            if command.path() == "run deploy" {
                let is_poller = command.argument() == "brigade-poller";
                let mode = if is_poller { checks } else { "verify" };
                let settings = command.flag("--set-env-vars");
                assert!(settings.contains(&format!(";BRIGADE_AUTH={mode};")));
                let open = is_poller && checks == "verify";
                assert_eq!(command.has("--no-invoker-iam-check"), open);
                assert_eq!(command.has("--invoker-iam-check"), !open);
            }
        }
    }
}

fn probe(of: &str, every: u64, within: u64, times: u64) -> Value {
    json!({
        "periodSeconds": every,
        "timeoutSeconds": within,
        "failureThreshold": times,
        "grpc": { "port": 8080, "service": format!("brigade.v1.{of}") },
    })
}

#[test]
fn yaml_speaks_h2c_and_is_probed_by_grpc() {
    for (name, service) in [("poller", "PollerService"), ("worker", "WorkerService")] {
        let yaml = yaml::service(name);
        assert_eq!(yaml["kind"], "Service");
        assert_eq!(yaml["apiVersion"], "serving.knative.dev/v1");
        let container = yaml::container(&yaml);
        assert_eq!(container["args"], json!([name]));
        let port = json!([{ "name": "h2c", "containerPort": 8080 }]);
        assert_eq!(container["ports"], port);
        assert_eq!(container["startupProbe"], probe(service, 1, 1, 60));
        assert_eq!(container["livenessProbe"], probe(service, 30, 5, 3));
        let account = yaml.pointer("/spec/template/spec/serviceAccountName");
        let own = format!("${{NAME}}-{name}@${{PROJECT}}.iam.gserviceaccount.com");
        assert_eq!(account.unwrap(), &json!(own));
    }
}

#[test]
fn terraform_speaks_h2c_and_is_probed_by_grpc() {
    for service in terraform::all("google_cloud_run_v2_service") {
        let template = service.block("template").unwrap();
        let account = terraform::attribute(&template.body, "service_account");
        // The worker's may be one of the root's.
        let own = ["google_service_account.poller.email", "local.worker_email"];
        assert_eq!(account, own[usize::from(service.name == "worker")]);
        let container = terraform::blocks(&template.body, "containers")[0];
        let port = terraform::blocks(&container.body, "ports")[0];
        assert_eq!(terraform::attribute(&port.body, "name"), "h2c");
        for probe in ["startup_probe", "liveness_probe"] {
            let probe = terraform::blocks(&container.body, probe)[0];
            let grpc = terraform::blocks(&probe.body, "grpc")[0];
            let probed = terraform::attribute(&grpc.body, "service").to_lowercase();
            assert_eq!(probed, format!("brigade.v1.{}service", service.name));
        }
    }
}

#[test]
fn the_schedule_waits_longer_than_a_poll_may_take() {
    let jobs = terraform::all("google_cloud_scheduler_job");
    let deadline = jobs[0].get("attempt_deadline");
    assert_eq!(deadline, "${var.poll_deadline_seconds + 30}s");
    let target = jobs[0].block("http_target").unwrap();
    let body = terraform::attribute(&target.body, "body");
    assert_eq!(body, "base64encode(jsonencode({ relist = true }))");
    let token = terraform::blocks(&target.body, "oidc_token")[0];
    let audience = terraform::attribute(&token.body, "audience");
    assert_eq!(audience, "local.poller_url");
}
