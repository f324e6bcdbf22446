//! Who may do what in the bucket.

use std::collections::BTreeMap;

use super::{gcloud, terraform};

/// Account, permissions and the prefixes that they end at: the whole picture, with the worker's outputs replaceable.
const PICTURE: [(&str, &str, &str); 7] = [
    ("poller", "create delete get", "control"),
    ("poller", "create get", "processed failed"),
    ("poller", "get move update", "inbox"),
    ("poller", "list", "the whole bucket"),
    ("worker", "create delete get", "outputs"),
    ("worker", "get", "inbox"),
    ("worker", "list", "the whole bucket"),
];

/// What the poller needs beside it, when it has an operator, and when it shows outputs.
const STEERING: [(&str, &str, &str); 2] =
    [("poller", "create move", "failed inbox"), ("poller", "get", "outputs")];

/// What the recorded commands with every option grant.
const WHOLE: [(&str, &str, &str); 3] = [STEERING[0], STEERING[1], REPLACING_UPLOADS];

/// What uploaders get, the wider one with `uploaders_may_replace`. None of them may update: an object's metadata has its marks.
const UPLOADS: (&str, &str, &str) = ("uploader", "create", "inbox");
const REPLACING_UPLOADS: (&str, &str, &str) = ("uploader", "create delete", "inbox");

type Grant = (String, String, String);

fn picture(more: &[(&str, &str, &str)]) -> Vec<Grant> {
    let mut picture: Vec<Grant> = PICTURE
        .iter()
        .chain(more)
        .map(|(who, what, place)| ((*who).into(), (*what).into(), (*place).into()))
        .collect();
    picture.sort();
    picture
}

/// The last words of `storage.objects.get` and the like, in order.
fn verbs(permissions: &str) -> String {
    let mut verbs: Vec<_> = permissions
        .split(',')
        .map(|one| one.trim().trim_matches(['[', ']', '"', '\n', ' ']))
        .filter(|one| !one.is_empty())
        .map(|one| one.strip_prefix("storage.objects.").unwrap())
        .collect();
    verbs.sort_unstable();
    verbs.join(" ")
}

/// The permissions of each custom role of the module, by its name there.
fn roles() -> BTreeMap<String, String> {
    terraform::all("google_project_iam_custom_role")
        .into_iter()
        .map(|role| {
            let permissions = role.get("permissions");
            // A choice: what it is without it is the second.
            let permissions = permissions.rsplit(" : ").next().unwrap();
            (role.name, verbs(permissions))
        })
        .collect()
}

/// The prefixes that a condition names, or the whole bucket.
fn prefixes(condition: &str, named: impl Fn(&str) -> String) -> String {
    if condition.is_empty() {
        return "the whole bucket".into();
    }
    let terms = condition.split(" || ").map(|term| {
        let prefix = term.strip_prefix("resource.name.startsWith(\"").unwrap();
        named(prefix.strip_suffix("\")").unwrap())
    });
    terms.collect::<Vec<_>>().join(" ")
}

#[test]
fn terraform_grants_each_account_what_it_needs_below_its_prefixes() {
    let roles = roles();
    let (mut grants, mut optional) = (Vec::new(), Vec::new());
    for binding in terraform::all("google_storage_bucket_iam_member") {
        assert_eq!(binding.get("bucket"), "local.bucket");
        let member = binding.get("member");
        let member = match &*member {
            "each.key" => "uploader.",
            "serviceAccount:${local.worker_email}" => "worker.",
            other => other.strip_prefix("google_service_account.").unwrap(),
        };
        let role = binding.get("role");
        // A choice: its first is the default, and the wider one.
        let role = role.strip_prefix("var.worker_replaces_outputs ? ").unwrap_or(&role);
        let role = role.strip_prefix("google_project_iam_custom_role.").unwrap();
        let role = role.replace("[0]", "");
        let condition = binding
            .block("condition")
            .map(|block| terraform::attribute(&block.body, "expression"))
            .unwrap_or_default()
            .replace("\\\"", "\"");
        let named = |prefix: &str| {
            let name = prefix.strip_prefix("${local.objects}/${").unwrap();
            let name = name.strip_suffix('}').unwrap();
            name.trim_start_matches("var.prefixes.")
                .trim_start_matches("local.")
                .trim_end_matches("_prefix")
                .to_owned()
        };
        let is_asked_for = !binding.get("count").is_empty() && binding.name != "worker_lists";
        optional.push(is_asked_for || !binding.get("for_each").is_empty());
        grants.push((
            member.split('.').next().unwrap().to_owned(),
            roles[role.split('.').next().unwrap()].clone(),
            prefixes(&condition, named),
        ));
    }
    let always = grants.iter().zip(optional).filter(|(_, optional)| !optional);
    let mut always: Vec<_> = always.map(|(grant, _)| grant.clone()).collect();
    always.sort();
    assert_eq!(always, picture(&[]));
    grants.sort();
    assert_eq!(grants, picture(&[STEERING[0], STEERING[1], UPLOADS]));
    let roles = terraform::all("google_project_iam_custom_role");
    let upload = roles.iter().find(|role| role.name == "upload").unwrap().get("permissions");
    let wider = upload.strip_prefix("var.uploaders_may_replace ? ").unwrap();
    assert_eq!(verbs(wider.split(" : ").next().unwrap()), REPLACING_UPLOADS.1);
    let locals = terraform::locals();
    assert_eq!(locals["objects"], "projects/_/buckets/${local.bucket}/objects");
    assert_eq!(locals["control_prefix"], ".brigade/");
}

#[test]
fn gcloud_grants_the_same() {
    for (recording, more) in
        [(gcloud::PLAIN, &[][..]), (gcloud::VERIFY, &[]), (gcloud::WHOLE, &WHOLE)]
    {
        let mut roles = BTreeMap::new();
        let mut grants = Vec::new();
        for command in gcloud::commands(recording) {
            match command.path() {
                "iam roles create" => {
                    roles.insert(
                        command.argument().to_owned(),
                        verbs(&command.flag("--permissions")),
                    );
                }
                "storage buckets add-iam-policy-binding" => grants.push(granted(&command, &roles)),
                _ => {}
            }
        }
        grants.sort();
        assert_eq!(grants, picture(more));
    }
}

fn granted(command: &gcloud::Command, roles: &BTreeMap<String, String>) -> Grant {
    let member = command.flag("--member");
    let own = member.strip_prefix("serviceAccount:brigade-");
    let member = own.unwrap_or_else(|| {
        assert_eq!(member, "group:lab@example.org");
        "uploader@"
    });
    let condition = command.flag("--condition");
    let condition = if let Some((_, expression)) = condition.split_once("expression=") {
        expression.to_owned()
    } else {
        assert_eq!(condition, "None");
        String::new()
    };
    let named = |prefix: &str| {
        let prefix = prefix.strip_prefix("projects/_/buckets/my-files/objects/");
        match prefix.unwrap() {
            "incoming/" => "inbox",
            "processed/" => "processed",
            "failed/" => "failed",
            "features/" => "outputs",
            ".brigade/" => "control",
            other => panic!("{other}"),
        }
        .to_owned()
    };
    let role = command.flag("--role");
    let role = role.strip_prefix("projects/my-project/roles/").unwrap();
    (member.split('@').next().unwrap().to_owned(), roles[role].clone(), prefixes(&condition, named))
}

#[test]
fn a_bucket_is_closed_to_the_world_and_its_deleted_objects_are_kept_for_a_while() {
    let buckets = terraform::all("google_storage_bucket");
    assert_eq!(buckets.len(), 1);
    assert_eq!(buckets[0].get("uniform_bucket_level_access"), "true");
    assert_eq!(buckets[0].get("public_access_prevention"), "enforced");
    assert!(buckets[0].block("soft_delete_policy").is_some());
    assert_eq!(buckets[0].get("force_destroy"), "");
}
