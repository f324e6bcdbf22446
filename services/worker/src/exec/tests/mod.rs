//! Real programs over a simulated bucket. A named pipe that a program and its children hold open shows when the last of
//! them has ended: it ends then.

mod answers;
mod ending;
mod messages;
mod setup;
mod unpacking;

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use brigade_proto::v1;
use brigade_sim::Sim;
use brigade_storage::Object;
use brigade_telemetry::{remote, within};
use rustix::{
    fs::{CWD, FileType, mknodat},
    process::{Pid, Signal, kill_process, set_child_subreaper},
};
use tempfile::TempDir;
use tokio::{io::AsyncReadExt as _, net::unix::pipe};

use super::*;
use crate::{
    error::ErrorKind,
    runner::Runner,
    testing::TestWorker,
    tests::fixtures::{
        BUCKET, HOUR, TRACEPARENT, job, job_with, listen, one_at_a_time, request, settings, traces,
        uploaded,
    },
};

fn exec(command: &str) -> ExecProcessor {
    ExecProcessor::new(command.parse().unwrap())
}

/// `sh` runs this script; `$1` is the object's file.
fn script(script: &str) -> ExecProcessor {
    exec(&format!("sh -c {} sh", shell_words::quote(script)))
}

async fn run_on(
    sim: &Sim,
    object: &Object,
    processor: ExecProcessor,
) -> Result<Outcome, ProcessError> {
    processor.process(&job(sim, object)).await
}

async fn run(processor: ExecProcessor) -> Result<Outcome, ProcessError> {
    let (sim, object) = uploaded("in/night.csv", "day,reaction_ms\n");
    run_on(&sim, &object, processor).await
}

async fn refusal(processor: ExecProcessor) -> (ErrorKind, String) {
    let error = run(processor).await.unwrap_err();
    (error.kind(), error.message().to_owned())
}

/// A named pipe, and what comes out of it.
struct Ears {
    path: PathBuf,
    pipe: pipe::Receiver,
    _directory: TempDir,
}

impl Ears {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pipe");
        mknodat(CWD, &path, FileType::Fifo, 0o600.into(), 0).unwrap();
        let pipe = pipe::OpenOptions::new().open_receiver(&path).unwrap();
        Self { path, pipe, _directory: directory }
    }

    /// A script whose processes all hold the pipe open as file descriptor 3.
    fn script(&self, body: &str) -> ExecProcessor {
        script(&format!("exec 3>{}\n{body}", shell_words::quote(self.path.to_str().unwrap())))
    }

    async fn hear(&mut self, expected: &str) {
        let mut heard = vec![0; expected.len()];
        self.pipe.read_exact(&mut heard).await.unwrap();
        assert_eq!(String::from_utf8(heard).unwrap(), expected);
    }

    /// What is still written until the last process is gone.
    async fn hear_the_end(&mut self) -> String {
        let mut heard = String::new();
        self.pipe.read_to_string(&mut heard).await.unwrap();
        heard
    }
}

#[tokio::test]
async fn of_a_huge_stderr_and_stdout_the_last_lines_are_kept() {
    let noise = "yes out | head -c 100000000; yes err | head -c 100000000 >&2; echo; echo 2 rows; echo last words >&2";
    let (_, reason) = refusal(script(&format!("{noise}; exit 1"))).await;
    assert!(
        reason.starts_with("last words (after: ")
            && reason.ends_with("err | err)")
            && reason.len() <= 1_024,
        "{reason}"
    );
    assert_eq!(run(script(noise)).await.unwrap().summary, "2 rows");
}

/// Writes what a program was given into its output directory.
const TELL: &str = r#"
    printf %s "$#" > "$OUTPUT_DIR/count"
    printf %s "$OBJECT_NAME" > "$OUTPUT_DIR/name"
    cat "$1" > "$OUTPUT_DIR/content"
    case "$1" in /*) ;; *) exit 1 ;; esac
    case "${1##*/}" in -*|.*|*[!A-Za-z0-9._-]*) echo "${1##*/}" >&2; exit 1 ;; esac
"#;

#[tokio::test]
async fn a_name_never_becomes_a_command_or_an_option() {
    let names = [
        "in/a b  c.csv",
        "in/it's \"quoted\".csv",
        "in/a;touch pwned;.csv",
        "in/$(touch pwned)`touch pwned`${HOME}",
        "in/&& touch pwned || true",
        "in/-rf",
        "in/--help",
        "in/..",
        "../../etc/passwd",
        "in/*?[a-z]{}~!#",
        "in/back\\slash\\",
        "in/a\u{85}b\u{2028}c\td\u{7f}\u{1b}[31m",
        "in/\u{202e}gpj.exe",
        "in/folder/",
        "日本/データ.csv",
    ];
    for name in names {
        let (sim, object) = uploaded(name, name.to_owned());
        run_on(&sim, &object, script(TELL)).await.unwrap();
        let told = |what: &str| sim.content(BUCKET, &format!("features/{what}")).unwrap();
        assert_eq!(told("count"), "1", "{name}");
        assert_eq!(told("name"), name);
        assert_eq!(told("content"), name);
    }
    assert!(!Path::new("pwned").exists());
}

#[tokio::test]
async fn a_name_with_a_nul_is_told_by_the_json_alone() {
    let (sim, object) = uploaded("in/a\0b.csv", "x");
    let tell =
        r#"test -z "${OBJECT_NAME+set}" || exit 1; printf %s "$OBJECT_JSON" > "$OUTPUT_DIR/json""#;
    run_on(&sim, &object, script(tell)).await.unwrap();
    let json = sim.content(BUCKET, "features/json").unwrap();
    let told: v1::Object = serde_json::from_slice(&json).unwrap();
    assert_eq!(Some(told), request(&object).object);
}

#[tokio::test]
async fn a_program_is_told_of_its_object() {
    let (sim, object) = uploaded("in/night 1.csv", "x");
    let tell = r#"echo "$OBJECT_BUCKET/$OBJECT_NAME#$OBJECT_GENERATION $OBJECT_CONTENT_TYPE $OBJECT_ATTEMPT ${1##*/}""#;
    let outcome = run_on(&sim, &object, script(tell)).await.unwrap();
    let expected =
        format!("data/in/night 1.csv#{} application/octet-stream 2 night_1.csv", object.generation);
    assert_eq!(outcome.summary, expected);
}

#[tokio::test]
async fn a_program_gets_the_trace_of_its_call_and_none_when_there_is_none() {
    let tell = || script(r#"echo "${TRACEPARENT-none}""#);
    assert_eq!(run(tell()).await.unwrap().summary, "none");
    let traced = within(remote(TRACEPARENT), run(tell())).await;
    assert_eq!(traced.unwrap().summary, TRACEPARENT);
}

#[tokio::test]
async fn what_a_program_writes_is_in_the_trace_of_its_call() {
    let (buffer, _listening) = listen();
    within(remote(TRACEPARENT), run(script("echo traced >&2"))).await.unwrap();
    run(script("echo untraced >&2")).await.unwrap();
    let trace = TRACEPARENT[3..35].to_owned();
    assert_eq!(
        traces(&buffer),
        [("traced".to_owned(), trace.into()), ("untraced".to_owned(), serde_json::Value::Null)]
    );
}

#[tokio::test]
async fn the_directory_is_private_and_gone_afterwards() {
    let tell = r#"
        room=$(dirname "$(dirname "$1")")
        for at in "$room" "$room/input" "$OUTPUT_DIR" "$TMPDIR"; do stat -c %a "$at" 2>/dev/null || stat -f %Lp "$at"; done | sort -u >&2
        test -z "$(ls -A "$OUTPUT_DIR")" || exit 1
        echo "$room"
        touch "$TMPDIR/left"
    "#;
    let outcome = run(script(tell)).await.unwrap();
    let directory = Path::new(&outcome.summary);
    assert!(directory.is_absolute() && !directory.exists(), "{}", directory.display());
    let (_, modes) = refusal(script(&format!("{tell}\nexit 1"))).await;
    assert_eq!(modes, "700");
}

#[tokio::test]
async fn what_is_left_in_the_output_directory_is_uploaded_once() {
    let (sim, object) = uploaded("in/a", "x");
    let write = r#"cd "$OUTPUT_DIR"; mkdir -p by/day; echo 1 > by/day/a.json; echo 2 > b.txt"#;
    let outcome = run_on(&sim, &object, script(write)).await.unwrap();
    let uris = ["gs://data/features/b.txt", "gs://data/features/by/day/a.json"];
    assert_eq!(outcome.outputs, uris);
    let before = sim.objects(BUCKET);
    assert_eq!(before.len(), 3);
    assert_eq!(before[1].content_type, "application/json");
    let again = run_on(&sim, &object, script(write)).await.unwrap();
    assert_eq!(again.outputs, uris);
    assert_eq!(sim.objects(BUCKET).len(), 3, "a repeated run adds nothing");
}

#[tokio::test]
async fn of_outputs_of_which_one_cannot_be_an_object_none_is_written() {
    for bad in ["ln -s /etc/passwd z", "mkfifo z", "ln -s ../../.. z", "ln -s no-such z"] {
        let (sim, object) = uploaded("in/a", "x");
        let program = script(&format!("cd \"$OUTPUT_DIR\"; echo 1 > a; {bad}"));
        let error = run_on(&sim, &object, program).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal, "{error}");
        assert_eq!(sim.objects(BUCKET).len(), 1, "{bad}");
    }
}

#[tokio::test]
async fn a_large_output_is_uploaded_piece_by_piece() {
    let (sim, object) = uploaded("in/a", "x");
    let write = "yes 0123456 | head -c 8000000 > \"$OUTPUT_DIR/large\"";
    run_on(&sim, &object, script(write)).await.unwrap();
    let stored = sim.content(BUCKET, "features/large").unwrap();
    assert!(stored.len() == 8_000_000 && stored.ends_with(b"0123456\n"));
}

#[tokio::test]
async fn a_file_that_is_too_large_is_refused_and_the_program_never_runs() {
    let small = crate::WorkerSettings { max_size: Some(3), ..settings() };
    let program = script("echo ran > \"$OUTPUT_DIR/ran\"");
    let worker = TestWorker::with_settings(program, small);
    let error = worker.process("in/a", "abcd").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(worker.outputs().is_empty());
}

#[tokio::test]
async fn outputs_of_a_program_that_fails_are_not_uploaded() {
    let (sim, object) = uploaded("in/a", "x");
    for code in [1, 75] {
        let failing = script(&format!("echo 1 > \"$OUTPUT_DIR/a\"; exit {code}"));
        run_on(&sim, &object, failing).await.unwrap_err();
    }
    assert_eq!(sim.objects(BUCKET).len(), 1);
}

#[tokio::test]
async fn a_replaced_object_is_superseded_and_never_run() {
    let (sim, object) = uploaded("in/a", "old");
    sim.upload(BUCKET, "in/a", "new").unwrap();
    let error = run_on(&sim, &object, script("echo ran > \"$OUTPUT_DIR/a\"")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Superseded);
    assert_eq!(sim.objects(BUCKET).len(), 1);
}

#[tokio::test]
async fn a_caller_who_goes_away_ends_the_program_which_may_clean_up() {
    let mut ears = Ears::new();
    let program =
        ears.script("trap 'echo bye >&3; exit 0' TERM; echo ready >&3; sleep 1000 & wait");
    let running = tokio::spawn(run(program));
    ears.hear("ready\n").await;
    running.abort();
    assert_eq!(ears.hear_the_end().await, "bye\n");
}

#[tokio::test]
async fn a_program_that_ignores_sigterm_is_killed_after_the_grace() {
    let mut ears = Ears::new();
    let program = ears.script("trap '' TERM; echo ready >&3; while :; do sleep 1000; done");
    let running = tokio::spawn(run(program));
    ears.hear("ready\n").await;
    tokio::time::pause();
    let before = tokio::time::Instant::now();
    running.abort();
    assert_eq!(ears.hear_the_end().await, "");
    assert!(before.elapsed() >= run::TERM_GRACE, "{:?}", before.elapsed());
}

#[tokio::test]
async fn the_deadline_kills_grandchildren_too() {
    let (sim, object) = uploaded("in/a", "x");
    let mut ears = Ears::new();
    let program = ears.script(
        "(sh -c 'sleep 1000 & wait' & wait) & (trap '' TERM; sleep 1000) & echo ready >&3; wait",
    );
    let runner = Runner::new(program, Arc::new(sim), &settings());
    let running = tokio::spawn(async move { runner.run(request(&object), Some(HOUR)).await });
    ears.hear("ready\n").await;
    // From here on time passes whenever nothing else can happen.
    tokio::time::pause();
    let error = running.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
    assert_eq!(ears.hear_the_end().await, "");
}

#[tokio::test]
async fn a_program_whose_time_is_out_has_its_last_words_in_the_reason() {
    let (sim, object) = uploaded("in/a", "x");
    let mut ears = Ears::new();
    let program = ears.script("echo fold 3 of 5 >&2; echo ready >&3; sleep 1000 & wait");
    let runner = Runner::new(program, Arc::new(sim), &settings());
    let running = tokio::spawn(async move { runner.run(request(&object), Some(HOUR)).await });
    ears.hear("ready\n").await;
    // What is in the pipe already is read first.
    tokio::task::yield_now().await;
    tokio::time::pause();
    let error = running.await.unwrap().unwrap_err();
    assert_eq!(error.message(), "the processor did not end within 3600s: fold 3 of 5");
    ears.hear_the_end().await;
}

#[tokio::test]
async fn a_program_that_is_still_ending_keeps_its_place() {
    let (sim, object) = uploaded("in/a", "x");
    let mut ears = Ears::new();
    let program = ears.script("trap 'read end; exit 0' TERM; echo ready >&3; sleep 1000 & wait");
    let runner = Runner::new(program, Arc::new(sim), &one_at_a_time());
    let running = tokio::spawn({
        let (runner, request) = (runner.clone(), request(&object));
        async move { runner.run(request, None).await }
    });
    ears.hear("ready\n").await;
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    let error = runner.run(request(&object), None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy);
    ears.hear_the_end().await;
}

#[tokio::test]
async fn what_a_program_leaves_running_ends_with_it() {
    let mut ears = Ears::new();
    let outcome = run(ears.script("sleep 1000 & echo done")).await.unwrap();
    assert_eq!(outcome.summary, "done");
    assert_eq!(ears.hear_the_end().await, "");
}

/// Whether there is such a process, a zombie included.
#[cfg(target_os = "linux")]
fn exists(pid: &str) -> bool {
    assert!(pid.parse::<u32>().is_ok(), "{pid:?} is no process");
    Path::new("/proc").join(pid).exists()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn no_zombie_stays_of_a_program_or_of_what_it_left_running() {
    // As the init of a container, which inherits the orphans of the programs that it runs.
    set_child_subreaper(Pid::from_raw(1)).unwrap();
    let outcome = run(script("sleep 1000 & echo $$ $!")).await.unwrap();
    for pid in outcome.summary.split(' ') {
        assert!(!exists(pid), "{pid} is still there");
    }
    let (_, reason) = refusal(script("sleep 1000 & echo $! $$ >&2; kill -KILL $$")).await;
    for pid in reason.split(' ').rev().take(2) {
        assert!(!exists(pid), "{pid} is still there");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_daemon_that_holds_the_pipes_open_is_not_waited_for() {
    let outcome = run(script("setsid sleep 1000 & echo $!")).await.unwrap();
    let pid = Pid::from_raw(outcome.summary.parse().unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
}
