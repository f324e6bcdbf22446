//! Which crate may depend on which.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use serde_json::Value;

/// What cargo knows of the workspace.
pub(crate) fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version=1", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What each crate of the workspace uses outside of its tests.
fn uses() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = metadata();
    let name = |value: &Value| value["name"].as_str().unwrap().to_owned();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .map(|package| {
            let dependencies = package["dependencies"].as_array().unwrap().iter();
            // A dependency of the program itself has no kind; the others are "dev" and "build".
            let own = dependencies.filter(|dependency| dependency["kind"].is_null());
            (name(package), own.map(name).collect())
        })
        .collect()
}

fn own(names: &BTreeSet<String>) -> Vec<&str> {
    let names = names.iter().map(String::as_str);
    names.filter(|name| name.starts_with("brigade")).collect()
}

#[test]
fn dependencies_point_one_way() {
    let uses = uses();
    let uses = |name: &str| own(&uses[name]);
    assert_eq!(uses("brigade-proto"), [""; 0]);
    assert_eq!(uses("brigade-telemetry"), [""; 0]);
    assert_eq!(uses("brigade-client"), ["brigade-proto", "brigade-telemetry"]);
    assert_eq!(uses("brigade-storage"), ["brigade-telemetry"], "it knows no gRPC contract");
    assert_eq!(uses("brigade-contract"), ["brigade-storage"]);
    assert_eq!(uses("brigade-model"), [""; 0]);
    assert_eq!(uses("brigade-sim"), ["brigade-model", "brigade-storage"]);
    assert_eq!(uses("brigade-emulator"), ["brigade-model", "brigade-runtime"]);
    assert_eq!(uses("brigade-runtime"), ["brigade-proto", "brigade-telemetry"]);
    let poller = "brigade-client brigade-proto brigade-runtime brigade-storage brigade-telemetry";
    assert_eq!(uses("brigade-poller").join(" "), poller);
    assert_eq!(
        uses("brigade-ui"),
        ["brigade-client", "brigade-proto"],
        "it never reads the bucket"
    );
    let worker = "brigade-proto brigade-runtime brigade-sim brigade-storage brigade-telemetry";
    assert_eq!(uses("brigade-worker").join(" "), worker);
}

/// What runs in the cloud knows no test equipment, but for the worker's test kit, `brigade dev`, `emulator` and
/// `contract`.
#[test]
fn deployed_crates_know_no_test_equipment() {
    const EQUIPMENT: [&str; 4] =
        ["brigade-contract", "brigade-emulator", "brigade-model", "brigade-sim"];
    let uses = uses();
    let known: Vec<(&str, &str)> = uses
        .iter()
        .filter(|(name, _)| !EQUIPMENT.contains(&name.as_str()))
        .flat_map(|(name, used)| used.iter().map(|used| (name.as_str(), used.as_str())))
        .filter(|(_, used)| EQUIPMENT.contains(used))
        .collect();
    let allowed = [
        ("brigade", "brigade-contract"),
        ("brigade", "brigade-emulator"),
        ("brigade-worker", "brigade-sim"),
    ];
    assert_eq!(known, allowed);
}

#[test]
fn each_outside_library_is_known_where_it_belongs() {
    let uses = uses();
    let known_to = |library: &str| -> Vec<&str> {
        uses.iter()
            .filter(|(_, names)| names.contains(library))
            .map(|(name, _)| name.as_str())
            .collect()
    };
    assert_eq!(known_to("google-cloud-storage"), ["brigade-storage"]);
    assert_eq!(known_to("gcp_auth"), ["brigade-client"]);
    assert_eq!(known_to("opentelemetry_sdk"), ["brigade-runtime"]);
    assert_eq!(known_to("opentelemetry-otlp"), ["brigade-runtime"]);
}
