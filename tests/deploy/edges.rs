//! Who may call whom.

use super::{gcloud, said, terraform};

/// Caller, service, and when there is such an edge: the whole picture.
const PICTURE: [(&str, &str, &str); 4] = [
    ("caller", "poller", "for each of callers, readers and operators"),
    ("poller", "worker", "always"),
    ("pusher", "poller", "with var.events || var.tasks"),
    ("scheduler", "poller", "always"),
];

#[test]
fn terraform_lets_in_exactly_the_invokers_of_the_picture() {
    let mut edges = Vec::new();
    for binding in terraform::all("google_cloud_run_v2_service_iam_member") {
        assert_eq!(binding.get("role"), "roles/run.invoker", "{}", binding.name);
        let member = binding.get("member");
        let caller = match &*member {
            "serviceAccount:${each.key}" => "caller",
            other => between(other, "google_service_account.", ".member"),
        };
        let service = binding.get("name");
        let service = between(&service, "google_cloud_run_v2_service.", ".name");
        let when = match (&*binding.get("count"), &*binding.get("for_each")) {
            ("", "") => "always".to_owned(),
            ("", "toset(concat(var.callers, var.readers, var.operators))") => {
                "for each of callers, readers and operators".to_owned()
            }
            (count, "") => format!("with {}", count.trim_end_matches(" ? 1 : 0")),
            (_, other) => panic!("{}: for each of {other}", binding.name),
        };
        edges.push((caller.to_owned(), service.to_owned(), when));
    }
    edges.sort();
    let picture =
        PICTURE.map(|(caller, service, when)| (caller.into(), service.into(), when.into()));
    assert_eq!(edges, picture);
}

#[test]
fn terraform_grants_the_right_to_call_in_no_other_way() {
    for resource in terraform::resources() {
        let kind = &*resource.kind;
        let grants = kind.contains("_iam_") && kind != "google_project_iam_custom_role";
        let known = [
            "google_cloud_run_v2_service_iam_member",
            "google_cloud_tasks_queue_iam_member",
            "google_project_iam_member",
            "google_pubsub_subscription_iam_member",
            "google_pubsub_topic_iam_member",
            "google_secret_manager_secret_iam_member",
            "google_service_account_iam_member",
            "google_storage_bucket_iam_member",
        ];
        assert!(!grants || known.contains(&kind), "{kind} {}", resource.name);
    }
    let services = terraform::all("google_cloud_run_v2_service");
    let open: Vec<_> = services
        .iter()
        .map(|service| (&*service.name, service.get("invoker_iam_disabled")))
        .collect();
    let verified = "var.poller_auth == \"verify\"".to_owned();
    assert_eq!(open, [("poller", verified), ("worker", String::new())]);
}

#[test]
fn gcloud_lets_in_exactly_the_invokers_of_the_picture() {
    let edges = |recording: &str| {
        let mut edges = Vec::new();
        for command in gcloud::commands(recording) {
            if command.path() == "run services add-iam-policy-binding" {
                assert_eq!(command.flag("--role"), "roles/run.invoker");
                let member = command.flag("--member");
                let caller = between(&member, "serviceAccount:brigade-", "@my-project.");
                let service = command.argument().trim_start_matches("brigade-");
                edges.push(format!("{caller} {service}"));
            }
        }
        edges.sort();
        edges
    };
    let least = ["poller worker", "scheduler poller"];
    let whole =
        ["operator poller", "poller worker", "pusher poller", "reader poller", "scheduler poller"];
    assert_eq!(edges(gcloud::PLAIN), least);
    assert_eq!(edges(gcloud::VERIFY), least);
    assert_eq!(edges(gcloud::WHOLE), whole);
}

#[test]
fn nobody_is_everybody_and_no_role_is_a_primitive_one() {
    let said = said();
    for word in [
        "allUsers",
        "allAuthenticatedUsers",
        " --allow-unauthenticated",
        "roles/owner",
        "roles/editor",
        "roles/viewer",
        "roles/storage.admin",
        "roles/storage.object",
        "roles/storage.legacy",
        "roles/run.admin",
        "projects add-iam-policy-binding",
        "google_project_iam_binding",
        "google_project_iam_policy",
        "google_service_account_key",
    ] {
        assert!(!said.contains(word), "deploy/ says {word}");
    }
    assert!(said.contains("roles/run.invoker"));
}

#[test]
fn the_only_roles_of_the_project_are_those_to_export_telemetry_to_google() {
    let [grant] = &terraform::all("google_project_iam_member")[..] else {
        panic!("there is one grant on the project");
    };
    assert_eq!(grant.get("role"), "roles/${each.value[1]}");
    let pairs = grant.get("for_each");
    assert!(pairs.starts_with("local.in_google ?"), "{pairs}");
    let roles: Vec<_> =
        pairs.split('"').filter(|part| part.contains('.') && !part.contains(' ')).collect();
    assert_eq!(roles, ["telemetry.writer", "serviceusage.serviceUsageConsumer"]);
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let found = text.strip_prefix(before).and_then(|rest| rest.split_once(after));
    let (found, _) = found.unwrap_or_else(|| panic!("{text} is not {before}…{after}"));
    found
}
