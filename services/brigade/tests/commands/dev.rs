//! `brigade dev`, with `--once` and without.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::TcpStream,
    path::Path,
    process::Stdio,
};

use tempfile::TempDir;

use super::command::{Running, brigade, run};

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn once_settles_the_samples_and_a_second_run_moves_nothing() {
    let directory = TempDir::new().unwrap();
    let ended = run(brigade(directory.path(), ["dev", "--once"]));
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    for part in [
        "20 found, 18 processed, 2 failed",
        "failed incoming/subject-398.csv: line 6, column day",
        "failed incoming/subject-399.csv: line 4, column reaction_ms",
    ] {
        assert!(ended.err.contains(part), "{}", ended.err);
    }
    let json = ended.out.lines().all(|line| line.starts_with('{'));
    assert!(json, "stdout has JSON alone: {}", ended.out);

    let data = directory.path().join("brigade-data");
    assert_eq!(names(&data.join("incoming")), [""; 0]);
    let failed = ["subject-398.csv", "subject-399.csv"];
    assert_eq!(names(&data.join("failed")), failed);
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/sleepstudy");
    let processed = names(&data.join("processed"));
    assert_eq!(processed.len(), 18);
    for name in &processed {
        let original = fs::read(samples.join(name)).unwrap();
        let moved = fs::read(data.join("processed").join(name)).unwrap();
        assert_eq!(moved, original, "{name}");
    }
    means_are_the_published_ones(&data.join("features"));

    let again = run(brigade(directory.path(), ["dev", "--once"]));
    assert_eq!(again.err, "0 found, 0 processed, 0 failed\n");
    assert_eq!(names(&data.join("processed")), processed);
}

/// Both streams of a whole run that logs at this level.
fn logged(directory: &Path, level: &str) -> (String, String) {
    let mut command = brigade(directory, ["dev", "--once"]);
    command.env("RUST_LOG", level);
    let ended = run(command);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    (ended.out, ended.err)
}

/// All that is logged of a whole run, by us and by every library: of calls and headers, tokens fetched, checked and sent.
#[test]
fn not_a_line_of_a_whole_run_at_trace_holds_a_token_or_a_key() {
    let directory = TempDir::new().unwrap();
    let (stdout, stderr) = logged(directory.path(), "trace");
    let libraries = "h2::frame::headers hyper_util tower brigade_poller";
    for library in libraries.split(' ') {
        assert!(stderr.contains(library), "{library} logged nothing");
    }
    for line in stdout.lines().chain(stderr.lines()) {
        // How every JWT begins, and every PEM of a key.
        let secret = ["eyJ", "PRIVATE KEY"].iter().find(|it| line.contains(**it));
        assert_eq!(secret, None, "{line}");
    }
}

/// The poller calls the worker, whose work is a task of its own; a person calls the poller.
#[test]
fn every_line_of_the_worker_about_a_file_names_the_poller_as_its_caller() {
    let directory = TempDir::new().unwrap();
    let (_, stderr) = logged(directory.path(), "info");
    let lines =
        stderr.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut messages = Vec::new();
    for line in lines {
        let caller = match line["message"].as_str() {
            Some("processed" | "not processed") => "poller@",
            Some("poll started" | "object settled") => "developer@",
            _ => continue,
        };
        let call = format!("call{{caller=\"{caller}");
        let spans = line["spans"].as_array().into_iter().flatten();
        let mut spans = spans.filter_map(serde_json::Value::as_str);
        assert!(spans.any(|span| span.starts_with(&call)), "{line}");
        messages.push(line["message"].as_str().unwrap().to_owned());
    }
    let count = |message| messages.iter().filter(|one| *one == message).count();
    assert_eq!((count("processed"), count("not processed")), (18, 2));
    assert_eq!(count("object settled"), 20);
    assert!(count("poll started") > 0);
}

#[allow(clippy::cast_precision_loss, reason = "18 files")]
fn means_are_the_published_ones(features: &Path) {
    let parsed: Vec<serde_json::Value> = names(features)
        .iter()
        .map(|name| serde_json::from_slice(&fs::read(features.join(name)).unwrap()).unwrap())
        .collect();
    assert_eq!(parsed.len(), 18);
    let mean =
        |field: &str| parsed.iter().map(|one| one[field].as_f64().unwrap()).sum::<f64>() / 18.0;
    assert_eq!(format!("{:.3}", mean("slope_ms_per_day")), "10.467");
    assert_eq!(format!("{:.3}", mean("intercept_ms")), "251.405");
}

#[test]
fn files_of_ones_own_are_settled_by_a_programs_exit_code() {
    let directory = TempDir::new().unwrap();
    let incoming = directory.path().join("scratch/incoming");
    fs::create_dir_all(incoming.join("deep")).unwrap();
    fs::write(incoming.join("good.txt"), "it is ok").unwrap();
    fs::write(incoming.join("deep/bad.txt"), "it is not").unwrap();
    let arguments = "dev --once --data scratch --no-samples --exec".split(' ');
    let mut command = brigade(directory.path(), arguments);
    command.arg("grep -q ok {}");
    let ended = run(command);
    let counts = "2 found, 1 processed, 1 failed";
    assert!(ended.err.contains(counts), "{}", ended.err);
    for name in ["processed/good.txt", "failed/deep/bad.txt"] {
        let path = directory.path().join("scratch").join(name);
        assert!(path.exists(), "{name}");
    }
}

#[test]
fn a_program_that_starts_it_on_free_ports_is_told_them_and_has_the_inbox_to_itself() {
    let directory = TempDir::new().unwrap();
    let child = brigade(directory.path(), ["dev", "--no-schedule", "--port", "0"])
        .stdout(Stdio::piped())
        .spawn();
    let mut running = Running(child.unwrap());
    let mut line = String::new();
    BufReader::new(running.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let first: serde_json::Value = serde_json::from_str(&line).unwrap();
    for part in ["poller", "worker", "emulator"] {
        let url = first["serving"][part].as_str().unwrap();
        TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    }
    drop(running);
    // With a scheduler, the first poll comes at once.
    let data = directory.path().join("brigade-data");
    assert_eq!(names(&data.join("incoming")).len(), 20);
}

#[test]
fn a_file_that_is_dropped_while_it_runs_is_pushed_at_once() {
    let directory = TempDir::new().unwrap();
    // No poll comes after the one at the start, and that one leaves new files alone: only a push settles the file.
    let arguments = "dev --push --no-samples --interval 1h --port 0 --exec true";
    let child = brigade(directory.path(), arguments.split(' '))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut running = Running(child.unwrap());
    let inbox = directory.path().join("brigade-data/incoming");
    while !inbox.exists() {
        assert!(running.0.try_wait().unwrap().is_none(), "it ended");
        std::thread::yield_now();
    }
    fs::write(inbox.join("dropped.csv"), "x").unwrap();
    // The first line says where everything is served.
    let output = BufReader::new(running.0.stdout.take().unwrap());
    let line = output.lines().nth(1).unwrap().unwrap();
    drop(running);
    assert!(line.contains("SETTLEMENT_PROCESSED"), "{line}");
    let processed = names(&directory.path().join("brigade-data/processed"));
    assert_eq!(processed, ["dropped.csv"]);
}
