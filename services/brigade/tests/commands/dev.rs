//! The command as people run it: `brigade dev --once`, and what it says of bad settings.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::TcpStream,
    path::Path,
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

fn brigade(directory: &Path, arguments: &[&str]) -> Output {
    command(directory, arguments).output().unwrap()
}

fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_brigade"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("BRIGADE_")
            || name.starts_with("WORKER_")
            || name == "PORT"
            || name == "RUST_LOG"
        {
            command.env_remove(name);
        }
    }
    command.current_dir(directory).args(arguments);
    command
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn said(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

fn refused(arguments: &[&str], code: i32, says: &[&str]) {
    let directory = TempDir::new().unwrap();
    let output = brigade(directory.path(), arguments);
    let (_, stderr) = said(&output);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
    for word in says {
        assert!(
            stderr.contains(word),
            "{arguments:?} does not say {word:?}: {stderr}"
        );
    }
    assert!(!stderr.contains("panicked"), "{stderr}");
}

#[test]
fn once_settles_the_samples_and_a_second_run_moves_nothing() {
    let directory = TempDir::new().unwrap();
    let output = brigade(directory.path(), &["dev", "--once"]);
    let (stdout, stderr) = said(&output);
    assert!(output.status.success(), "{stderr}");
    assert!(
        stderr.contains("20 found, 18 processed, 2 failed"),
        "{stderr}"
    );
    assert!(stderr.contains("line 4, column reaction_ms"), "{stderr}");
    assert!(
        stdout.lines().all(|line| line.starts_with('{')),
        "stdout has JSON alone: {stdout}"
    );

    let data = directory.path().join("brigade-data");
    assert_eq!(names(&data.join("incoming")), [""; 0]);
    assert_eq!(
        names(&data.join("failed")),
        ["subject-398.csv", "subject-399.csv"]
    );
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/sleepstudy");
    let processed = names(&data.join("processed"));
    assert_eq!(processed.len(), 18);
    for name in &processed {
        let original = fs::read(samples.join(name)).unwrap();
        assert_eq!(
            fs::read(data.join("processed").join(name)).unwrap(),
            original,
            "{name}"
        );
    }
    means_are_the_published_ones(&data.join("features"));

    let again = brigade(directory.path(), &["dev", "--once"]);
    assert!(said(&again).1.contains("0 found, 0 processed, 0 failed"));
    assert_eq!(names(&data.join("processed")), processed);
}

/// All that is told of a whole run, by us and by every library: of calls and headers, tokens fetched, checked and sent.
#[test]
fn not_a_line_of_a_whole_run_at_trace_holds_a_token_or_a_key() {
    let directory = TempDir::new().unwrap();
    let output = command(directory.path(), &["dev", "--once"])
        .env("RUST_LOG", "trace")
        .output()
        .unwrap();
    let (stdout, stderr) = said(&output);
    assert!(output.status.success(), "{stderr}");
    for library in [
        "h2::frame::headers",
        "hyper_util",
        "tower",
        "brigade_poller",
    ] {
        assert!(stderr.contains(library), "{library} told nothing");
    }
    for line in stdout.lines().chain(stderr.lines()) {
        // How every JWT begins, and every PEM of a key.
        assert!(
            !line.contains("eyJ") && !line.contains("PRIVATE KEY"),
            "{line}"
        );
    }
}

/// The poller calls the worker, whose work is a task of its own; a person calls the poller.
#[test]
fn every_line_of_the_worker_about_a_file_names_the_poller_as_its_caller() {
    let directory = TempDir::new().unwrap();
    let output = command(directory.path(), &["dev", "--once"])
        .env("RUST_LOG", "info")
        .output()
        .unwrap();
    let (_, stderr) = said(&output);
    assert!(output.status.success(), "{stderr}");
    let lines = stderr
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut told = Vec::new();
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
        told.push(line["message"].as_str().unwrap().to_owned());
    }
    let count = |message| told.iter().filter(|told| *told == message).count();
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
    let mean = |field: &str| {
        parsed
            .iter()
            .map(|one| one[field].as_f64().unwrap())
            .sum::<f64>()
            / 18.0
    };
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
    let arguments = [
        "dev",
        "--once",
        "--data",
        "scratch",
        "--no-samples",
        "--exec",
        "grep -q ok {}",
    ];
    let output = brigade(directory.path(), &arguments);
    assert!(
        said(&output).1.contains("2 found, 1 processed, 1 failed"),
        "{:?}",
        said(&output)
    );
    assert!(directory.path().join("scratch/processed/good.txt").exists());
    assert!(
        directory
            .path()
            .join("scratch/failed/deep/bad.txt")
            .exists()
    );
}

#[test]
fn a_program_that_starts_it_on_free_ports_is_told_them_and_has_the_inbox_to_itself() {
    let directory = TempDir::new().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_brigade"))
        .current_dir(directory.path())
        .args(["dev", "--no-schedule", "--port", "0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    let told: serde_json::Value = serde_json::from_str(&line).unwrap();
    for part in ["poller", "worker", "standIn"] {
        let url = told["serving"][part].as_str().unwrap();
        TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // With a scheduler, the first poll comes at once.
    let data = directory.path().join("brigade-data");
    assert_eq!(names(&data.join("incoming")).len(), 20);
}

#[test]
fn a_program_that_is_missing_is_said_before_anything_starts() {
    refused(
        &["dev", "--once", "--exec", "no-such-program {}"],
        64,
        &["no-such-program", "PATH"],
    );
}

#[test]
fn a_data_directory_that_is_a_file_is_said_with_its_name() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("data"), "").unwrap();
    let output = brigade(directory.path(), &["dev", "--once", "--data", "data"]);
    assert_eq!(output.status.code(), Some(64));
    assert!(
        said(&output).1.contains("cannot use the directory data"),
        "{:?}",
        said(&output)
    );
}

#[test]
fn a_port_in_use_is_said_with_the_mend() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    refused(
        &["dev", "--once", "--port", &port],
        69,
        &["cannot listen", &port, "--port"],
    );
}

#[test]
fn all_missing_settings_are_named_at_once() {
    refused(
        &["poller"],
        64,
        &[
            "BRIGADE_INBOX",
            "WORKER_URL",
            "BRIGADE_AUDIENCE",
            "BRIGADE_ALLOWED_CALLERS",
        ],
    );
    refused(
        &["worker"],
        64,
        &["BRIGADE_AUDIENCE", "BRIGADE_ALLOWED_CALLERS"],
    );
}

#[test]
fn auth_off_is_refused_on_an_address_that_others_reach() {
    refused(
        &["worker", "--auth", "off"],
        64,
        &["BRIGADE_AUTH", "BRIGADE_BIND=127.0.0.1"],
    );
}

#[test]
fn a_misspelt_variable_is_not_passed_over() {
    let directory = TempDir::new().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_brigade"))
        .current_dir(directory.path())
        .env("BRIGADE_CONCURENCY", "3")
        .args(["dev", "--once"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert!(
        said(&output)
            .1
            .contains("did you mean BRIGADE_CONCURRENCY?")
    );
}

#[test]
fn an_unknown_flag_is_a_usage_error_and_help_is_not() {
    refused(&["dev", "--twice"], 64, &["--twice"]);
    let directory = TempDir::new().unwrap();
    assert!(brigade(directory.path(), &["--help"]).status.success());
}

#[test]
fn a_file_that_is_dropped_while_it_runs_is_pushed_at_once() {
    let directory = TempDir::new().unwrap();
    // No poll comes after the one at the start, and that one leaves new files alone: only a push settles the file.
    let arguments = [
        "dev",
        "--push",
        "--no-samples",
        "--interval",
        "1h",
        "--port",
        "0",
    ];
    let mut child = command(directory.path(), &arguments)
        .args(["--exec", "true"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let inbox = directory.path().join("brigade-data/incoming");
    while !inbox.exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended");
        std::thread::yield_now();
    }
    fs::write(inbox.join("dropped.csv"), "x").unwrap();
    // The first line says where everything is served.
    let told = BufReader::new(child.stdout.take().unwrap());
    let line = told.lines().nth(1).unwrap().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(line.contains("SETTLEMENT_PROCESSED"), "{line}");
    let processed = names(&directory.path().join("brigade-data/processed"));
    assert_eq!(processed, ["dropped.csv"]);
}

#[test]
fn a_run_that_ends_has_nothing_to_be_pushed() {
    refused(&["dev", "--once", "--push"], 64, &["--push"]);
}
