//! `BRIGADE_AUTH=platform` at the real binary: it goes on only where a front end stands before it.

use std::{
    io::{BufRead as _, BufReader},
    net::{SocketAddr, TcpStream},
    process::Stdio,
    sync::mpsc,
    time::Duration,
};

use brigade_emulator::{Emulator, frontend::Service};

use super::command::{POLLER, Running, brigade, google, loopback};

/// Longer than anything here takes on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// A port that was free a moment ago.
async fn free() -> SocketAddr {
    loopback().await.0.local_addr().unwrap()
}

/// The binary, and what it logs.
struct Poller {
    child: Running,
    lines: mpsc::Receiver<String>,
}

/// The poller as Cloud Run would start it, at this address, with this as its URL.
fn poller(emulator: &Emulator, address: SocketAddr, public_url: &str) -> Poller {
    let mut child = brigade(&std::env::temp_dir(), ["poller"])
        .envs(emulator.env())
        .env("K_SERVICE", "poller")
        .env("PORT", address.port().to_string())
        .env("BRIGADE_BIND", "127.0.0.1")
        .env("BRIGADE_AUTH", "platform")
        .env("BRIGADE_PUBLIC_URL", public_url)
        .env("BRIGADE_INBOX", "gs://data/incoming/")
        .env("WORKER_URL", "http://127.0.0.1:1")
        .env("BRIGADE_AUDIENCE", public_url)
        .env("BRIGADE_ALLOWED_CALLERS", POLLER)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let (sent, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in stderr.lines().map_while(Result::ok) {
            // A process whose output is not read would wait.
            let _ = sent.send(line);
        }
    });
    let child = Running(child);
    Poller { child, lines }
}

impl Poller {
    /// Waits for a line with these words, or for the end; returns all that was logged until then.
    fn until(&self, words: &str) -> (bool, String) {
        let mut all = String::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    all.push_str(&line);
                    all.push('\n');
                    if line.contains(words) {
                        return (true, all);
                    }
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => return (false, all),
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("it does not end: {all}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poller_that_anybody_can_call_ends_with_77_and_reports_the_fix() {
    let emulator = google(&[POLLER]).await;
    let (mut poller, address, said) = loop {
        let address = free().await;
        let poller = poller(&emulator, address, &format!("http://{address}"));
        let (_, said) = poller.until("never said");
        // Another process was given the port meanwhile.
        if !said.contains("cannot listen") {
            break (poller, address, said);
        }
    };
    assert_eq!(poller.child.0.wait().unwrap().code(), Some(77), "{said}");
    for words in ["this service is public", "roles/run.invoker"] {
        assert!(said.contains(words), "{said}");
    }
    TcpStream::connect(address).unwrap_err();
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poller_behind_a_front_end_goes_on() {
    let emulator = google(&[POLLER]).await;
    let (poller, said) = loop {
        let address = free().await;
        let (listener, _) = loopback().await;
        let service = Service::new("poller", address).invoker(POLLER);
        let front = emulator.front_end(listener, &service).unwrap();
        let poller = poller(&emulator, address, front.url().as_str());
        let (proven, said) = poller.until("a front end protects this service");
        if proven || !said.contains("cannot listen") {
            assert!(proven, "{said}");
            break (poller, said);
        }
        front.stop().await;
    };
    assert!(!said.contains("is public"), "{said}");
    drop(poller);
    emulator.stop().await;
}
