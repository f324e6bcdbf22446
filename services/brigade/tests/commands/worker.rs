//! `brigade worker` as a process: what it serves, and how it ends.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{ChildStderr, Command, ExitStatus, Stdio},
    time::Duration,
};

use brigade_emulator::Emulator;
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use super::command::{Running, brigade, google};

/// A running worker, which does not outlive its test.
struct Worker {
    child: Running,
    url: String,
    // What it logs has to go somewhere.
    _log: BufReader<ChildStderr>,
}

impl Worker {
    /// Over this storage, with these arguments, on any port.
    fn start(storage: &Emulator, arguments: &[&str]) -> Self {
        let variables = storage.env().into_iter();
        let words = "worker --bind 127.0.0.1 --port 0 --auth off".split(' ');
        let mut child = brigade(&std::env::temp_dir(), words)
            .envs(variables.filter(|(name, _)| name.starts_with("STORAGE_")))
            .env("RUST_LOG", "info")
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let url = address(&mut log);
        Self { child: Running(child), url, _log: log }
    }

    async fn process(&self, generation: i64) -> Response {
        let object =
            json!({ "bucket": "data", "name": "in/a", "generation": generation.to_string() });
        let body = json!({ "object": object }).to_string();
        let url = format!("{}/process", self.url);
        Client::new().post(url).body(body).send().await.unwrap()
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.0.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status();
        assert!(sent.unwrap().success());
    }

    fn ended(mut self) -> ExitStatus {
        self.child.0.wait().unwrap()
    }
}

/// The address that the log's first line says.
fn address(log: &mut BufReader<ChildStderr>) -> String {
    let mut line = String::new();
    log.read_line(&mut line).unwrap();
    let (_, address) = line.split_once("127.0.0.1:").unwrap();
    let port = address.split(|c: char| !c.is_ascii_digit()).next();
    format!("http://127.0.0.1:{}", port.unwrap())
}

async fn storage(content: &str) -> (Emulator, i64) {
    let emulator = google(&[]).await;
    let bucket = emulator.storage().bucket("data");
    let generation = bucket.put("in/a", content.to_owned()).unwrap();
    (emulator, generation)
}

/// Two named pipes: the program says in one that it runs, and waits for the other.
struct Pipes {
    directory: TempDir,
}

impl Pipes {
    fn new() -> Self {
        let pipes = Self { directory: TempDir::new().unwrap() };
        let made = Command::new("mkfifo").args([pipes.runs(), pipes.go_on()]).status();
        assert!(made.unwrap().success());
        pipes
    }

    fn runs(&self) -> PathBuf {
        self.directory.path().join("runs")
    }

    fn go_on(&self) -> PathBuf {
        self.directory.path().join("go-on")
    }

    fn program(&self) -> String {
        let (runs, go_on) = (self.runs(), self.go_on());
        let script = format!(
            "echo > '{}'; read line < '{}'; echo ended by itself",
            runs.display(),
            go_on.display()
        );
        format!("sh -c \"{script}\" sh")
    }

    async fn wait_until_it_runs(&self) {
        let runs = self.runs();
        let read = spawn_blocking(|| fs::read(runs).unwrap());
        read.await.unwrap();
    }

    async fn let_it_go_on(&self) {
        let go_on = self.go_on();
        let written = spawn_blocking(|| fs::write(go_on, "\n").unwrap());
        written.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_told_to_end_ends_what_is_at_work_first() {
    let (storage, generation) = storage("x").await;
    let pipes = Pipes::new();
    let worker = Worker::start(&storage, &["--exec", &pipes.program()]);
    let meanwhile = async {
        pipes.wait_until_it_runs().await;
        worker.signal("-TERM");
        pipes.let_it_go_on().await;
    };
    let (response, ()) = futures::join!(worker.process(generation), meanwhile);
    assert_eq!(response.status(), StatusCode::OK);
    let answer: Value = response.json().await.unwrap();
    assert_eq!(answer["summary"], "ended by itself");
    let ended = spawn_blocking(|| worker.ended()).await.unwrap();
    assert_eq!(ended.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_full_names_no_delay() {
    let (storage, generation) = storage("x").await;
    let pipes = Pipes::new();
    let one = ["--concurrency", "1", "--timeout", "1h"];
    let worker = Worker::start(&storage, &[&["--exec", &pipes.program()], &one[..]].concat());
    let meanwhile = async {
        pipes.wait_until_it_runs().await;
        let full = worker.process(generation + 1).await;
        pipes.let_it_go_on().await;
        full
    };
    let (first, full) = futures::join!(worker.process(generation), meanwhile);
    assert_eq!(first.status(), StatusCode::OK);
    assert_eq!(full.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(!full.headers().contains_key("retry-after"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_above_the_largest_size_is_refused_and_the_program_never_runs() {
    let (storage, generation) = storage(&"x".repeat(2_000)).await;
    let worker = Worker::start(&storage, &["--exec", "false", "--max-size", "1KB"]);
    let response = worker.process(generation).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let answer: Value = response.json().await.unwrap();
    assert_eq!(answer["reason"], "OBJECT_REFUSED");
    let message = answer["error"].as_str().unwrap();
    for part in ["2000 bytes", "BRIGADE_MAX_SIZE"] {
        assert!(message.contains(part), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_served_beside_the_worker() {
    let (storage, _) = storage("x").await;
    let worker = Worker::start(&storage, &[]);
    let health = async || reqwest::get(format!("{}/health", worker.url)).await;
    // It answers from its first moment, and says when it is ready.
    while health().await.unwrap().status() != StatusCode::OK {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
