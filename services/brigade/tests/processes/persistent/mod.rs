//! Persistent programs through the real worker: what each fault of a program costs, and which object.
//!
//! `faults.py` does what the content of an object says.

mod crashes;
mod ends;
mod examples;
mod many;
mod memory;
mod protocol;
mod start;

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use brigade_emulator::Emulator;
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::process::Process;

/// A worker of a persistent program, the storage of its objects, and a directory for the program's notes.
struct Worker {
    emulator: Emulator,
    process: Process,
    url: String,
    notes: TempDir,
    client: Client,
}

/// What `POST /process` answered.
#[derive(Debug)]
struct Answer {
    status: u16,
    body: Value,
}

impl Worker {
    /// Runs `faults.py`, which starts in this manner. None without Python.
    async fn start(start: &str, more: &[(&str, &str)]) -> Option<Self> {
        if !works("python3 --version") {
            return None;
        }
        let faults = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/processes/persistent/faults.py");
        Some(Self::of(&format!("python3 {faults} {start}"), more).await)
    }

    /// Runs one process of this program, unless these settings say another number.
    async fn of(program: &str, more: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let emulator = Emulator::builder().memory().bucket("data").start(listener).await.unwrap();
        let notes = tempfile::tempdir().unwrap();
        let own = [
            ("BRIGADE_EXEC", program),
            ("BRIGADE_PERSISTENT", "true"),
            ("BRIGADE_PROCESSES", "1"),
            ("BRIGADE_OUTPUT", "gs://data/features/"),
            ("BRIGADE_AUTH", "off"),
            ("BRIGADE_BIND", "127.0.0.1"),
            ("PORT", "0"),
            ("NOTES", notes.path().to_str().unwrap()),
        ];
        let own = own.iter().chain(more);
        let own = own.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let storage = emulator.env().into_iter().filter(|(name, _)| name.starts_with("STORAGE_"));
        let variables: Vec<_> = storage.chain(own).collect();
        let (process, address) = Process::serve(&["worker"], &variables).await;
        let url = format!("http://{address}/process");
        Self { emulator, process, url, notes, client: Client::new() }
    }

    /// Has an object of this content processed.
    async fn process(&self, content: &str) -> Answer {
        self.process_named("in/a", content).await
    }

    async fn process_named(&self, name: &str, content: &str) -> Answer {
        self.call(name, content, &json!({})).await.unwrap()
    }

    /// The same with this metadata in the request. While no process is ready it is asked again, as the poller does.
    async fn call(&self, name: &str, content: &str, metadata: &Value) -> reqwest::Result<Answer> {
        loop {
            let answer = self.request(name, content, metadata).send().await?;
            let answer = Answer { status: answer.status().as_u16(), body: answer.json().await? };
            if answer.status != 429 || !answer.error().contains("still starting") {
                return Ok(answer);
            }
        }
    }

    fn request(&self, name: &str, content: &str, metadata: &Value) -> RequestBuilder {
        let bucket = self.emulator.storage().bucket("data");
        let generation = bucket.put(name, content.to_owned()).unwrap().to_string();
        let object = json!({
            "bucket": "data", "name": name, "generation": generation, "metadata": metadata,
        });
        self.client.post(&self.url).body(json!({ "object": object }).to_string())
    }

    /// Has an object accepted that has no fault. The process that did it.
    async fn accepts(&self) -> String {
        let answer = self.process("good").await;
        assert_eq!(answer.status, 200, "{answer:?}\n{}", self.process.log());
        answer.summary().to_owned()
    }

    /// Has an object processed that is at fault, whose reason has these words. The next object is accepted, by another process.
    async fn fails(&self, content: &str, words: &[&str]) {
        let before = self.accepts().await;
        let answer = self.process(content).await;
        assert_eq!(answer.status, 500, "{answer:?}\n{}", self.process.log());
        for words in words {
            assert!(answer.error().contains(words), "no {words:?} in {answer:?}");
        }
        assert_ne!(self.accepts().await, before, "the same process serves on");
    }

    /// The lines of a note, once there is one.
    async fn noted(&self, name: &str) -> Vec<String> {
        noted(self.notes.path(), name).await
    }

    /// Lets `wait` go on.
    fn go(&self) {
        fs::write(self.notes.path().join("go"), "").unwrap();
    }
}

impl Answer {
    fn summary(&self) -> &str {
        self.body["summary"].as_str().unwrap_or_default()
    }

    fn error(&self) -> &str {
        self.body["error"].as_str().unwrap_or_default()
    }

    fn reason(&self) -> &str {
        self.body["reason"].as_str().unwrap_or_default()
    }
}

async fn noted(notes: &Path, name: &str) -> Vec<String> {
    loop {
        let text = fs::read_to_string(notes.join(name)).unwrap_or_default();
        if text.ends_with('\n') {
            return text.lines().map(ToOwned::to_owned).collect();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until no such process runs. A zombie counts as ended.
async fn gone(process: &str) {
    let state = || {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").and_then(|(_, fields)| fields.chars().next())
    };
    while state().is_some_and(|state| state != 'Z') {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Whether this command succeeds. Tests that need it say that they are skipped when it does not.
fn works(command: &str) -> bool {
    let run = Command::new("sh").args(["-c", command]).stdout(Stdio::null()).status();
    let works = run.is_ok_and(|status| status.success());
    if !works {
        eprintln!("SKIPPED: {command:?} fails here");
    }
    works
}
