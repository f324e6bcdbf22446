//! What `deploy/` would make: who may call whom, who may do what in the bucket, and how the services run. The Terraform, the
//! YAML and the commands of `gcloud.sh` are read as they are written; nothing is deployed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod dashboards;
mod edges;
mod gcloud;
mod kubernetes;
mod services;
mod storage;
mod terraform;
mod yaml;

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The files below `deploy/` whose names end like this.
fn files(extension: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with(".terraform") {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                files.push(path);
            }
        }
    }
    files.sort();
    assert!(!files.is_empty(), "deploy/ has no .{extension}");
    files
}

/// Everything that says what is deployed, without its comments.
fn said() -> String {
    let mut text = String::new();
    for path in ["tf", "yaml", "sh"].iter().flat_map(|kind| files(kind)) {
        for line in fs::read_to_string(path).unwrap().lines() {
            if !line.trim_start().starts_with('#') {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}
