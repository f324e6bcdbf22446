//! Programs that do nothing, as workers: one process for each object, and processes that stay.

use std::{os::unix::fs::PermissionsExt as _, path::Path, process::Command};

use brigade_client::WorkerClient;
use brigade_runtime::settings::{Problems, from_flags};
use brigade_storage::Object;
use brigade_worker::settings::{ExecArgs, WorkerSettings};
use futures::TryStreamExt as _;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::{
    BUDGET, Scale, bare, rate,
    rounds::{Paired, paired},
    system::System,
    wiring::bound,
};

const AT_ONCE: usize = 4;
/// Accepts each job by its id, which is the first thing in its line.
const PERSISTENT: &str = r#"#!/bin/sh
echo '{"ready":true,"protocol":1,"name":"nothing"}' >&4
while IFS= read -r line <&3; do
    case $line in *'"job"'*) ;; *) continue ;; esac
    id=${line#*'"id":"'}
    echo "{\"id\":\"${id%%'"'*}\",\"accept\":{}}" >&4
done
"#;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Exec,
    Persistent,
}

impl Kind {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Exec => "--exec with a program that does nothing, 4 at once",
            Self::Persistent => "--persistent with a program that does nothing, 4 at once",
        }
    }
}

/// The bare loop reads each object too, and starts the program where a worker without `--persistent` does.
pub(crate) fn measure(scale: &Scale, runtime: &Runtime, system: &System, kind: Kind) -> Paired {
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("nothing.sh");
    std::fs::write(&script, PERSISTENT).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let program = if kind == Kind::Exec { Path::new("/bin/true") } else { &script };
    let exec = format!("--exec={}", program.display());
    let flags = if kind == Kind::Exec { vec![&*exec] } else { vec![&*exec, "--persistent"] };
    let stop = CancellationToken::new();
    let worker = runtime.block_on(worker(system, &flags, &stop));
    system.lay(scale.programs);
    let objects = runtime.block_on(crate::tasks::listed(system));
    let pair = paired(
        scale.rounds,
        || {
            let ask = |request| worker.process(request, BUDGET);
            let one = async |object: Object| bare::accepted(&ask, &object).await;
            runtime.block_on(rate(objects.clone(), AT_ONCE, one))
        },
        || {
            let read = async |object: Object| {
                let bytes = system.bucket.read(object.pinned(), 0).await.unwrap();
                bytes.try_for_each(|_| async { Ok(()) }).await.unwrap();
                if kind == Kind::Exec {
                    let run = || Command::new("/bin/true").status().unwrap();
                    let status = tokio::task::spawn_blocking(run).await.unwrap();
                    assert!(status.success());
                }
            };
            runtime.block_on(rate(objects.clone(), AT_ONCE, read))
        },
    );
    stop.cancel();
    pair
}

async fn worker(system: &System, flags: &[&str], stop: &CancellationToken) -> WorkerClient {
    let (listener, url) = bound().await;
    let args: ExecArgs = from_flags(flags).unwrap();
    let mut problems = Problems::default();
    let exec = args.resolve(&mut problems);
    let exec = problems.into_settings(exec).unwrap();
    let settings = WorkerSettings { exec, concurrency: Some(AT_ONCE), ..WorkerSettings::default() };
    let guard = system.guard(&url);
    let (store, stopped) = (system.store.clone(), stop.clone());
    tokio::spawn(async move {
        brigade::worker::serve(listener, &settings, guard, store, stopped).await.unwrap();
    });
    WorkerClient::new(&url, Some(system.identity.clone()), None).unwrap()
}
