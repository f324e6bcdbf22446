//! What the traces and metrics of a worker say of its programs.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

#[path = "../../telemetry/tests/kit/mod.rs"]
mod kit;

use brigade_telemetry::{remote, within};
use brigade_worker::{
    exec::{ExecProcessor, PersistentProcessor},
    settings::{ExecSettings, PersistentSettings},
    testing::TestWorker,
};

use self::kit::{TRACEPARENT, observe};

/// Accepts each object, and says in which span it runs; an object that says "fail" ends it.
const ONCE: &str = r#"sh -c 'grep -q fail "$1" && exit 3; echo "$TRACEPARENT"' sh"#;

/// The same for one object after the other.
const PERSISTENT: &str = r#"sh -c '
    field() { value=${job#*\"$1\":\"}; value=${value%%\"*}; }
    echo "{\"ready\":true,\"protocol\":1,\"name\":\"test\",\"version\":\"1\"}" >&4
    while IFS= read -r job <&3; do
        field path; grep -q fail "$value" && exit 3
        field traceparent; trace=$value; field id
        echo "{\"id\":\"$value\",\"accept\":{\"summary\":\"$trace\"}}" >&4
    done
'"#;

/// Without the gauges: one depends on the machine, the other on the time.
fn counted(metrics: Vec<String>) -> String {
    let gauges = ["brigade.program.memory [By] ", "brigade.worker.in_flight [{file}] "];
    let (gauges, counted): (Vec<_>, Vec<_>) =
        metrics.into_iter().partition(|line| gauges.iter().any(|gauge| line.starts_with(gauge)));
    assert!(gauges.iter().any(|line| line.contains("in_flight")), "{gauges:?}");
    counted.join("\n")
}

#[tokio::test]
async fn a_program_runs_in_a_span_of_its_call() {
    let seen = observe();
    let worker = TestWorker::new(ExecProcessor::new(ONCE.parse().unwrap()));
    let accepted = within(remote(TRACEPARENT), worker.process("a", "x")).await.unwrap();
    within(remote(TRACEPARENT), worker.process("b", "fail")).await.unwrap_err();
    insta::assert_snapshot!(seen.tree());
    let spans = seen.spans();
    let run = spans.iter().find(|span| span.name == "run program").unwrap();
    assert_eq!(run.parent_span_id.to_string(), &TRACEPARENT[36..52]);
    let id = run.span_context.span_id();
    assert_eq!(accepted.summary, format!("{}{id}-01", &TRACEPARENT[..36]));
    insta::assert_snapshot!(counted(seen.metrics()));
}

#[tokio::test]
async fn a_process_has_jobs_with_spans_and_is_counted_when_it_is_replaced() {
    let seen = observe();
    let persistent = PersistentSettings {
        processes: Some(1),
        recycle_after: None,
        startup_timeout: std::time::Duration::from_mins(2),
        max_memory: None,
    };
    let exec = ExecSettings::new(PERSISTENT.parse().unwrap());
    let worker = TestWorker::new(PersistentProcessor::start(&exec, &persistent));
    let accepted = within(remote(TRACEPARENT), worker.process("a", "x")).await.unwrap();
    within(remote(TRACEPARENT), worker.process("b", "fail")).await.unwrap_err();
    // The second process is the one that has memory now.
    for name in ["c", "d"] {
        within(remote(TRACEPARENT), worker.process(name, "x")).await.unwrap();
    }
    insta::assert_snapshot!(seen.tree());
    let spans = seen.spans();
    let id = spans.first().unwrap().span_context.span_id();
    assert_eq!(accepted.summary, format!("{}{id}-01", &TRACEPARENT[..36]));
    let metrics = seen.metrics();
    let memory = metrics.iter().find_map(|line| line.strip_prefix("brigade.program.memory [By] "));
    assert!(memory.unwrap().parse::<u64>().unwrap() > 100_000, "{metrics:?}");
    insta::assert_snapshot!(counted(metrics));
}
