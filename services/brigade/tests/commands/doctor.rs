//! `brigade doctor` against the emulator: what it reports when all is well, and of each wire that is cut.

use std::fmt::Write as _;

use brigade_emulator::{Emulator, storage::Permission};
use brigade_worker::{sample::SleepStudy, settings::WorkerSettings};
use serde_json::Value;
use tempfile::TempDir;

use super::command::{
    POLLER, brigade, closed, google, loopback, normalised, run_beside, serve, store,
};

/// Nothing listens there.
const PROXIES: [(&str, &str); 3] = [
    ("HTTP_PROXY", "http://127.0.0.1:9"),
    ("HTTPS_PROXY", "http://127.0.0.1:9"),
    ("ALL_PROXY", "http://127.0.0.1:9"),
];

/// The emulator, and a worker that admits this account.
struct World {
    emulator: Emulator,
    worker: String,
}

impl World {
    async fn admitting(caller: &str) -> Self {
        Self::on(google(&[POLLER]).await, caller).await
    }

    async fn on(emulator: Emulator, caller: &str) -> Self {
        let (listener, worker) = loopback().await;
        let store = store(&emulator).await;
        let routes = brigade_worker::routes(SleepStudy, store, &WorkerSettings::default());
        serve((listener, &worker), routes, &emulator, caller);
        Self { emulator, worker }
    }

    /// The exit code, and a line for each check.
    async fn doctor(&self, settings: &[(&str, &str)]) -> (Option<i32>, Vec<Value>) {
        let home = TempDir::new().unwrap();
        let mut command = brigade(home.path(), ["doctor"]);
        command
            .envs(self.emulator.env())
            .env("BRIGADE_INBOX", "gs://data/incoming/")
            .env("WORKER_URL", &self.worker)
            .env("BRIGADE_AUDIENCE", "https://poller.example")
            .env("BRIGADE_ALLOWED_CALLERS", "scheduler@x.example")
            .envs(settings.iter().copied());
        let ended = run_beside(command).await;
        let out = normalised(&ended.out, home.path());
        let lines = out.lines().map(|line| serde_json::from_str(line).unwrap());
        (ended.code, lines.collect())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn findings_of_every_wire() {
    let (well, closed) = (World::admitting(POLLER).await, closed().await);
    let other = World::admitting("other@else.iam.gserviceaccount.com").await;
    let narrow = Emulator::builder()
        .memory()
        .bucket("data")
        .role(POLLER, &[Permission::List], "incoming/")
        .role(POLLER, &[Permission::List], ".brigade/")
        .role(POLLER, &[Permission::Get, Permission::Create, Permission::Delete], "");
    let narrow = World::on(narrow.start(loopback().await.0).await.unwrap(), POLLER).await;
    let everything = [
        Permission::List,
        Permission::Get,
        Permission::Create,
        Permission::Update,
        Permission::Delete,
        Permission::Move,
    ];
    let seen = Emulator::builder()
        .memory()
        .bucket("data")
        .role(POLLER, &everything, "")
        .role(POLLER, &[Permission::GetPolicy, Permission::GetBucket], "")
        .role("uploader@else.iam.gserviceaccount.com", &[Permission::Create], "incoming/")
        .role("colleague@else.iam.gserviceaccount.com", &everything, "incoming/")
        .role("marker@else.iam.gserviceaccount.com", &[Permission::Update], "incoming/");
    let seen = World::on(seen.start(loopback().await.0).await.unwrap(), POLLER).await;
    let wrong = [("BRIGADE_INBOX", "incoming"), ("WORKER_URL", ""), ("BRIGADE_METRICS_BIND", "x")];
    let rights =
        [("BRIGADE_READERS", "reader@x.example"), ("BRIGADE_OPERATORS", "operator@x.example")];
    let absent = [("BRIGADE_INBOX", "gs://other/in/")];
    let unset = [("BRIGADE_AUDIENCE", ""), ("BRIGADE_ALLOWED_CALLERS", " ")];
    let callers = [
        ("BRIGADE_AUDIENCE", "poller.example"),
        ("BRIGADE_READERS", "reader"),
        ("BRIGADE_OPERATORS", "group:operators@x.example"),
        ("BRIGADE_PUBLIC_URL", "http://poller.example"),
    ];
    let local = [("BRIGADE_AUTH", "off"), ("BRIGADE_BIND", "127.0.0.1")];
    let tasks = [
        ("BRIGADE_DISPATCH", "tasks"),
        ("BRIGADE_TASKS_QUEUE", "projects/p/locations/l/queues/q"),
        ("BRIGADE_TASKS_ACCOUNT", "tasks@p.example"),
    ];
    let mut table = String::new();
    for (case, world, settings) in [
        ("every wire is whole", &well, &[][..]),
        ("the destinations may not be listed", &narrow, &[]),
        ("other accounts may update files of the inbox", &seen, &[]),
        ("a proxy is gone", &well, &PROXIES),
        ("the worker gets no token", &well, &[("BRIGADE_WORKER_AUTH", "none")]),
        ("the worker admits another account", &other, &[]),
        ("the worker is absent", &well, &[("WORKER_URL", closed.as_str())]),
        ("the bucket is absent", &well, &absent),
        ("the settings are wrong", &well, &wrong),
        ("readers and operators may call", &well, &rights),
        ("who may call is not set", &well, &unset),
        ("who may call is wrong", &well, &callers),
        ("every caller that reaches it may call", &well, &[("BRIGADE_AUTH", "off")]),
        ("callers of this machine may call", &well, &local),
        ("a front end checks signatures", &well, &[("BRIGADE_AUTH", "platform")]),
        ("the queue may not call", &well, &tasks),
    ] {
        let (code, lines) = world.doctor(settings).await;
        writeln!(table, "{case}: exit {}", code.unwrap()).unwrap();
        for line in lines {
            let field = |name: &str| line[name].as_str().unwrap_or_default();
            // What a call reported has its words, and their snapshots, elsewhere.
            let shown = if ["updaters", "callers"].contains(&field("check")) {
                field("message")
            } else if line["ok"] == true || field("check") == "settings" {
                field("message").split(" (").next().unwrap_or_default()
            } else {
                "FAILED"
            };
            writeln!(table, "  {}: {shown}", field("check")).unwrap();
        }
    }
    insta::assert_snapshot!(table);
    let bucket = well.emulator.storage().bucket("data");
    assert_eq!(bucket.list("").unwrap().len(), 0, "nothing is left behind");
}
