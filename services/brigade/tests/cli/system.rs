//! A poller over a bucket in memory, and `brigade` with an environment of its own.

use std::{
    ffi::OsStr,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use brigade::{AuthConfig, poller::Dependencies};
use brigade_client::identity::{Cached, MetadataServer, origin};
use brigade_emulator::{Emulator, identity::ISSUER};
use brigade_poller::{
    config::Config,
    inbox::access,
    lease::Process,
    settings::{PollerSettings, Protocol, WorkerAuth},
};
use brigade_runtime::guard::{GuardSettings, Mode};
use brigade_storage::{
    Location, NewObject, Store as _,
    gcs::{GcsSettings, GcsStore},
};
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;

pub(crate) use crate::ended::Ended;
use crate::pty::Pty;

pub(crate) const OPERATOR: &str = "operator@test.iam.gserviceaccount.com";
pub(crate) const READER: &str = "reader@test.iam.gserviceaccount.com";
pub(crate) const STRANGER: &str = "stranger@test.iam.gserviceaccount.com";
const BUCKET: &str = "data";

impl Ended {
    /// All of it, the same in every run.
    pub(crate) fn shown(&self) -> String {
        let code = self.code.unwrap();
        normalised(&format!("{}{}exit code {code}\n", self.out, self.err))
    }
}

/// The parts of one test.
pub(crate) struct System {
    emulator: Emulator,
    store: Arc<GcsStore>,
    poller: Url,
    home: TempDir,
    stop: CancellationToken,
}

impl Drop for System {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// `brigade` in this directory, which is its home too, with no variable of the caller's but `PATH`.
pub(crate) fn brigade<S: AsRef<OsStr>>(
    home: &Path,
    arguments: impl IntoIterator<Item = S>,
) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_brigade"));
    command
        .env_clear()
        .env("HOME", home)
        .env("XDG_RUNTIME_DIR", home)
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .current_dir(home)
        .stdin(Stdio::null())
        .args(arguments);
    command
}

/// Runs a command to its end, while the caller's runtime serves what it calls.
pub(crate) async fn run(mut command: Command) -> Ended {
    tokio::task::spawn_blocking(move || command.output().unwrap().into()).await.unwrap()
}

/// The same on a terminal of so many columns, without colours.
pub(crate) async fn on_terminal(mut command: Command, columns: u16) -> Ended {
    command.env("NO_COLOR", "1");
    let ended = tokio::task::spawn_blocking(move || Pty::start(command, columns, 24).end());
    ended.await.unwrap()
}

impl System {
    /// Nothing is in the bucket. The worker cannot be reached.
    pub(crate) async fn start() -> Self {
        Self::start_with(Mode::Verify).await
    }

    /// The same, with a poller that checks callers in this mode.
    pub(crate) async fn start_with(mode: Mode) -> Self {
        let mut builder = Emulator::builder().memory().bucket(BUCKET);
        for account in [OPERATOR, READER, STRANGER] {
            builder = builder.service_account(account);
        }
        let emulator = builder.start(loopback().await).await.unwrap();
        let settings = GcsSettings::emulator(origin(&emulator.url()));
        let store = Arc::new(GcsStore::connect(settings).await.unwrap());
        let listener = loopback().await;
        let poller = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let stop = CancellationToken::new();
        let system = Self { emulator, store, poller, home: TempDir::new().unwrap(), stop };
        system.serve(listener, mode);
        system
    }

    fn serve(&self, listener: TcpListener, mode: Mode) {
        let settings = PollerSettings {
            config: Config::for_inbox(Location::new(BUCKET, "incoming/")),
            worker_url: Url::parse("http://127.0.0.1:1").unwrap(),
            worker_audience: None,
            worker_protocol: Protocol::Grpc,
            worker_auth: WorkerAuth::None,
            tasks: None,
        };
        let env = self.emulator.env();
        let keys = env.iter().find(|(name, _)| *name == "BRIGADE_JWKS_URL").unwrap();
        let guard = GuardSettings {
            mode,
            audiences: vec![origin(&self.poller)],
            allowed_callers: vec![OPERATOR.to_owned()],
            rights: access::rights(vec![READER.to_owned()], vec![OPERATOR.to_owned()]),
            issuers: vec![ISSUER.to_owned()],
            jwks_url: keys.1.parse().unwrap(),
        };
        let auth = AuthConfig::from(guard);
        let identity = MetadataServer::new(Some(self.emulator.url().authority()));
        let outside = Dependencies {
            store: self.store.clone(),
            identity: Arc::new(Cached::new(identity)),
            observer: None,
            process: Process::default(),
        };
        let stop = self.stop.clone();
        tokio::spawn(async move {
            let outside = async { Ok(outside) };
            brigade::poller::serve(listener, &settings, auth, outside, stop).await.unwrap();
        });
    }

    /// `brigade` of a person without an identity, for this poller.
    pub(crate) fn brigade_without_identity(&self, arguments: &[&str]) -> Command {
        let mut command = brigade(self.home.path(), arguments);
        command.env("BRIGADE_POLLER", self.poller.as_str());
        command
    }

    /// What the poller answers to JSON by HTTP without a token: the status and the text.
    pub(crate) async fn post(&self, path: &str, body: &'static str) -> (u16, String) {
        let request = reqwest::Client::new().post(self.poller.join(path).unwrap());
        let answer = request.body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// `brigade` as the operator, for this poller.
    pub(crate) fn brigade(&self, arguments: &[&str]) -> Command {
        let mut command = self.brigade_without_identity(arguments);
        command.env("GCE_METADATA_HOST", self.emulator.url().authority());
        command
    }

    /// The same as another account.
    pub(crate) fn brigade_as(&self, account: &str, arguments: &[&str]) -> Command {
        let key = self.home.path().join(format!("{account}.json"));
        let file = self.emulator.identity().service_account_file(account);
        std::fs::write(&key, file.to_string()).unwrap();
        let mut command = self.brigade(arguments);
        command.env_remove("GCE_METADATA_HOST").env("GOOGLE_APPLICATION_CREDENTIALS", key);
        command
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Ended {
        run(self.brigade(arguments)).await
    }

    pub(crate) async fn on_terminal(&self, arguments: &[&str], columns: u16) -> Ended {
        on_terminal(self.brigade(arguments), columns).await
    }

    /// Stores an object with these marks.
    pub(crate) async fn put(&self, name: &str, marks: &[(&str, &str)]) {
        let marks =
            marks.iter().map(|(key, value)| (format!("brigade-{key}"), (*value).to_owned()));
        let new = NewObject {
            content: "x".into(),
            content_type: "text/csv".to_owned(),
            metadata: marks.collect(),
        };
        self.store.bucket(BUCKET).create(name, 0, new).await.unwrap();
    }

    /// Stores an object as a poller does when it failed so many hours ago. Its name in the inbox is the same.
    pub(crate) async fn fail(&self, path: &str, kind: &str, reason: &str, hours: i64) {
        // In the middle of an hour, so that its age is the same for the whole test.
        let ago = SignedDuration::from_mins(60 * hours + 30);
        let at = Timestamp::now().checked_sub(ago).unwrap();
        let at = Timestamp::from_second(at.as_second()).unwrap().to_string();
        let marks = [
            ("status", "failed"),
            ("reason", reason),
            ("code", "INVALID_ARGUMENT"),
            ("kind", kind),
            ("attempts", "1"),
            ("failed-at", &at),
        ];
        self.put(&format!("failed/{path}"), &marks).await;
    }

    /// Three causes, four objects.
    pub(crate) async fn with_failures() -> Self {
        let system = Self::start().await;
        system
            .fail("2026/night-0412.edf", "no-day", "line 7: no day in 2026/night-0412.edf", 2)
            .await;
        system
            .fail("2026/night-0413.edf", "no-day", "line 9: no day in 2026/night-0413.edf", 5)
            .await;
        system.fail("broken.edf", "", "the header is cut", 30).await;
        system.fail("tab\tand\u{1b}[2Jline.edf", "", "odd \u{1b}[31mname", 100).await;
        system
    }

    /// The names in the bucket.
    pub(crate) fn names(&self) -> Vec<String> {
        let objects = self.emulator.storage().bucket(BUCKET).list("").unwrap();
        objects.into_iter().map(|object| object.name).collect()
    }
}

pub(crate) async fn loopback() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// The same text in every run: what differs is named.
pub(crate) fn normalised(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || ":.-".contains(c);
    let mut result = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len()).max(c.len_utf8());
        let (part, after) = rest.split_at(length);
        result.push_str(&stable(part));
        rest = after;
    }
    result
}

fn stable(part: &str) -> String {
    if let Some(before) = part.strip_suffix(':') {
        return format!("{}:", stable(before));
    }
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    match part {
        _ if part.len() >= 20 && part.parse::<Timestamp>().is_ok() => "TIME".to_owned(),
        _ if part.len() >= 13 && is_number(part) => "GENERATION".to_owned(),
        _ => match part.split_once("127.0.0.1:") {
            Some((before, after)) if after.len() > 1 => {
                let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
                format!("{before}127.0.0.1:PORT{after}")
            }
            _ => part.to_owned(),
        },
    }
}
