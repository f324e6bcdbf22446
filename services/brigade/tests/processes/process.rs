//! One of our programs, running.

use std::{
    io::{BufRead as _, BufReader, Read},
    net::SocketAddr,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

/// How long a slow machine may take for what takes a moment. An endless program takes longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A process. It is killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    log: Arc<Mutex<String>>,
    /// Writes the log, until the process has ended.
    reader: JoinHandle<()>,
}

impl Process {
    /// Starts `brigade` with these arguments and nothing but these variables. What `found` finds in a line of its stdout
    /// or stderr says that it is ready; the other one goes nowhere.
    pub(crate) async fn start<T: Send + 'static>(
        arguments: &[&str],
        variables: &[(String, String)],
        [stdout, stderr]: [Stdio; 2],
        found: impl Fn(&str) -> Option<T> + Send + 'static,
    ) -> (Self, T) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_brigade"))
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
            .unwrap();
        let output: Box<dyn Read + Send> = match (child.stdout.take(), child.stderr.take()) {
            (Some(stdout), _) => Box::new(stdout),
            (None, stderr) => Box::new(stderr.unwrap()),
        };
        let (ready, wait) = oneshot::channel();
        let log = Arc::new(Mutex::new(String::new()));
        let lines = log.clone();
        // A thread, because it reads for as long as the process writes.
        let reader = thread::spawn(move || {
            let mut ready = Some(ready);
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Some(found) = found(&line)
                    && let Some(ready) = ready.take()
                {
                    let _ = ready.send(found);
                }
                let mut lines = lines.lock().unwrap();
                lines.push_str(&line);
                lines.push('\n');
            }
        });
        let process = Self { child, log, reader };
        let Ok(found) = wait.await else {
            panic!("{arguments:?} did not start: {}", process.log());
        };
        (process, found)
    }

    /// Starts a service, on a port of its choice.
    pub(crate) async fn serve(
        arguments: &[&str],
        variables: &[(String, String)],
    ) -> (Self, SocketAddr) {
        let stderr = [Stdio::null(), Stdio::piped()];
        Self::start(arguments, variables, stderr, |line| {
            let line: serde_json::Value = serde_json::from_str(line).ok()?;
            line["address"].as_str()?.parse().ok()
        })
        .await
    }

    /// Starts the emulator, and reads the variables that it prints.
    pub(crate) async fn emulator(arguments: &[&str]) -> (Self, Vec<(String, String)>) {
        let stdout = [Stdio::piped(), Stdio::null()];
        let all = Arc::new(Mutex::new(Vec::new()));
        Self::start(arguments, &[], stdout, move |line| {
            let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
            let mut all = all.lock().unwrap();
            all.push((name.to_owned(), value.to_owned()));
            (name == "BRIGADE_ISSUERS").then(|| all.clone())
        })
        .await
    }

    /// SIGKILL. Nothing of it runs any more afterwards.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM.
    pub(crate) fn terminate(&self) {
        self.terminate_after(&[]);
    }

    /// SIGTERM to these process groups and then to this process, as who ends a control group or a host does.
    pub(crate) fn terminate_after(&self, groups: &[String]) {
        let groups = groups.iter().map(|id| format!("-{id}"));
        let all: Vec<_> = groups.chain([self.child.id().to_string()]).collect();
        let kill = format!("kill -TERM {}", all.join(" "));
        let sent = Command::new("sh").args(["-c", &kill]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits for its end. All that it wrote is in the log then, unless a program of it still holds its output.
    pub(crate) async fn ended(mut self) -> (ExitStatus, String) {
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        let ended = Instant::now();
        while !self.reader.is_finished() && ended.elapsed() < Duration::from_secs(5) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        (status, self.log())
    }

    /// Waits until it has written this. What it writes is read a moment after what it answers.
    pub(crate) async fn says(&self, words: &str) {
        let began = Instant::now();
        while !self.log().contains(words) {
            assert!(began.elapsed() < PATIENCE, "no {words:?} in {}", self.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The most memory that it has had, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        1_024 * peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
    }

    /// The lines of its log that are JSON.
    pub(crate) fn lines(&self) -> Vec<serde_json::Value> {
        self.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Its port for metrics, which its log names before the port of the service.
    pub(crate) fn metrics_url(&self) -> String {
        let lines = self.lines().into_iter();
        let mut addresses = lines.filter_map(|line| Some(line["metrics"].as_str()?.to_owned()));
        format!("http://{}/metrics", addresses.next().unwrap())
    }

    /// What was read of its output so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
