//! `docs/WORKER.md` as a newcomer reads it: its blocks are what is run.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use super::command::{Ended, normalised};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The block that follows this mark in the guide.
fn block(mark: &str) -> String {
    let guide = fs::read_to_string(root().join("docs/WORKER.md")).unwrap();
    let (_, after) = guide.split_once(&format!("<!-- {mark} -->\n```")).unwrap();
    let (_, after) = after.split_once('\n').unwrap();
    after.split_once("\n```").unwrap().0.to_owned() + "\n"
}

/// Runs a script with this build's `brigade` in PATH.
fn run(directory: &Path, script: &str) -> Ended {
    let ours = Path::new(env!("CARGO_BIN_EXE_brigade")).parent().unwrap();
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths([ours.to_owned()].into_iter().chain(env::split_paths(&path)));
    Command::new("sh")
        .env_clear()
        .env("PATH", path.unwrap())
        .env("XDG_RUNTIME_DIR", directory)
        .current_dir(directory)
        .args(["-e", "-c", script])
        .output()
        .unwrap()
        .into()
}

#[test]
fn the_program_of_the_guide_counts_lines() {
    let directory = TempDir::new().unwrap();
    let program = directory.path().join("lines.sh");
    fs::write(&program, block("file: lines.sh")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o644)).unwrap();
    let ended = run(directory.path(), &block("run"));
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let end = block("says");
    assert!(ended.err.contains(&end), "not {end}: {}", ended.err);
    let read = |name: &str| fs::read_to_string(directory.path().join("data").join(name)).unwrap();
    assert_eq!(read("processed/mon/x.txt"), "a\nb\n");
    assert_eq!(read("failed/empty.txt"), "");
    assert_eq!(read("features/mon/x.txt/lines.txt"), "2\n");
    assert_eq!(read("features/tue/x.txt/lines.txt"), "3\n");
}

#[test]
fn the_crate_of_the_guide_is_the_example_whose_tests_run() {
    let example = root().join("services/worker/examples/lines.rs");
    let example = fs::read_to_string(example).unwrap();
    assert_eq!(block("file: src/main.rs"), example);
}

/// The Python of the machine, if it has one that is new enough for `statistics.linear_regression`.
fn python() -> bool {
    let asks = "import sys; sys.exit(sys.version_info < (3, 10))";
    let status = Command::new("python3").args(["-c", asks]).status();
    status.is_ok_and(|status| status.success())
}

#[test]
fn the_python_example_scores_the_samples() {
    if !python() {
        eprintln!("SKIPPED: no python3 of at least 3.10 here; examples/score.py was not run");
        return;
    }
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("data");
    let script = format!(
        "brigade dev --once --data '{}' --exec 'python3 examples/score.py'",
        data.display()
    );
    let ended = run(&root(), &script);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    for part in [
        "20 found, 18 processed, 2 failed",
        "failed incoming/subject-398.csv: row 5: day 3 is there already",
    ] {
        assert!(ended.err.contains(part), "{}", ended.err);
    }
    let features = fs::read_dir(data.join("features")).unwrap();
    assert_eq!(features.count(), 18);
    let one = fs::read(data.join("features/subject-308.csv/score.json")).unwrap();
    let one: serde_json::Value = serde_json::from_slice(&one).unwrap();
    let slope = one["slope_ms_per_day"].as_f64().unwrap();
    // The sample worker computes the same.
    assert_eq!(format!("{slope:.2}"), "21.76");
}

#[test]
fn a_program_that_does_not_end_is_stopped_by_the_timeout() {
    let directory = TempDir::new().unwrap();
    let script = "mkdir -p data/incoming; echo x > data/incoming/a; \
                  brigade dev --once --data data --timeout 1s --exec 'sh -c \"sleep 1000\" sh'";
    let ended = run(directory.path(), script);
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    let limit = "did not end within 1s";
    assert!(ended.err.contains(limit), "{}", ended.err);
    assert!(directory.path().join("data/incoming/a").exists());
}

#[test]
fn a_worker_that_runs_elsewhere_is_told_where_everything_is() {
    let directory = TempDir::new().unwrap();
    let script = "brigade dev --once --data data --no-samples --worker http://127.0.0.1:9";
    let ended = run(directory.path(), script);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    insta::assert_snapshot!(normalised(&ended.err, directory.path()));
}
