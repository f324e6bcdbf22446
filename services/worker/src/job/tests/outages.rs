//! Storage that does not answer the worker, or refuses its output, blames no object.

use futures::io::AsyncReadExt as _;
use std::io;

use super::*;
use crate::{exec::ExecProcessor, sample::SleepStudy};

const RECORDING: &str = "day,reaction_ms\n0,10\n1,20\n2,30\n";

fn passing() -> [Kind; 3] {
    let pause = Some(Duration::from_secs(7));
    [Kind::Unknown, Kind::Busy { retry_after: None }, Kind::Busy { retry_after: pause }]
}

/// Fails more calls than the worker makes.
fn fail_all(sim: &brigade_sim::Sim, operation: Operation, kind: &Kind) {
    for _ in 0..20 {
        sim.fail_next(operation, Fault::Before(kind.clone()));
    }
}

/// Reads through an adapter whose errors are `io::Error`.
struct ThroughAnAdapter;

impl Processor for ThroughAnAdapter {
    type Error = ProcessError;

    async fn process(&self, job: &Job) -> Result<Outcome, ProcessError> {
        let mut reader = job.read().await?.map_err(io::Error::other).into_async_read();
        let mut text = String::new();
        reader.read_to_string(&mut text).await?;
        Ok(Outcome::summary(text))
    }
}

fn program() -> ExecProcessor {
    let command = r#"sh -c 'cat "$1" > "$OUTPUT_DIR/copy"' sh"#;
    ExecProcessor::new(command.parse().unwrap())
}

async fn fails<P: Processor>(worker: &TestWorker<P>) -> (ErrorKind, Option<Duration>) {
    let error = worker.process("a.csv", RECORDING).await.unwrap_err();
    (error.kind(), error.delay())
}

/// Every processor's reads fail in this way.
async fn reads_fail<P: Processor>(processor: fn() -> P) {
    for kind in passing() {
        let worker = TestWorker::new(processor());
        fail_all(worker.bucket(), Operation::Read, &kind);
        let expected = match kind {
            Kind::Busy { retry_after } => retry_after,
            _ => None,
        };
        assert_eq!(fails(&worker).await, (ErrorKind::StorageUnavailable, expected), "{kind:?}");
        assert!(worker.outputs().is_empty());
    }
    // One answer of 400 or 416.
    let worker = TestWorker::new(processor());
    worker.bucket().fail_next(Operation::Read, Fault::Before(Kind::Invalid));
    assert_eq!(fails(&worker).await, (ErrorKind::StorageUnavailable, None));
}

#[tokio::test(start_paused = true)]
async fn reads_that_storage_does_not_answer_cost_no_attempt() {
    reads_fail(|| Reads).await;
    reads_fail(|| SleepStudy).await;
    reads_fail(|| ThroughAnAdapter).await;
}

#[tokio::test(start_paused = true)]
async fn a_program_never_runs_when_storage_does_not_answer_its_workers_reads() {
    reads_fail(program).await;
}

/// Breaks in the middle, and brings nothing more.
#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_half_way_costs_no_attempt() {
    async fn breaks<P: Processor>(processor: P) {
        let worker = TestWorker::new(processor);
        worker.bucket().fail_next(Operation::Read, Fault::Cut(5));
        fail_all(worker.bucket(), Operation::Read, &Kind::Unknown);
        assert_eq!(fails(&worker).await, (ErrorKind::StorageUnavailable, None));
    }
    breaks(Reads).await;
    breaks(SleepStudy).await;
    breaks(ThroughAnAdapter).await;
    breaks(program()).await;
}

#[tokio::test]
async fn an_object_under_a_customers_key_stays_and_its_name_and_the_fix_are_reported() {
    let worker = TestWorker::new(program());
    worker.bucket().fail_next(Operation::Read, Fault::Before(Kind::Encrypted));
    let error = worker.process("a.csv", RECORDING).await.unwrap_err();
    assert_eq!((error.kind(), error.delay()), (ErrorKind::StorageUnavailable, None));
    for part in ["gs://test/a.csv", "customer-supplied key", "fix: ", "--clear-encryption-key"] {
        assert!(error.message().contains(part), "{error}");
    }
    assert!(worker.outputs().is_empty());
}

#[tokio::test]
async fn a_caller_who_knows_no_checksum_waits_for_storage_too() {
    let (sim, object) = uploaded("in/a", "abc");
    let mut bare = request(&object);
    bare.object.as_mut().unwrap().crc32c = None;
    let job = job_with(&sim, bare, None);
    for answer in [Kind::Unknown, Kind::Invalid] {
        sim.fail_next(Operation::Get, Fault::Before(answer));
        assert_eq!(kind(job.bytes(3).await), ErrorKind::StorageUnavailable);
    }
}

#[tokio::test]
async fn an_output_that_storage_does_not_take_for_now_costs_no_attempt() {
    for operation in [Operation::Create, Operation::Get] {
        for answer in passing() {
            let (sim, object) = uploaded("in/a", "");
            if operation == Operation::Get {
                // A look follows it.
                sim.fail_next(Operation::Create, Fault::Before(Kind::Unknown));
            }
            fail_all(&sim, operation, &answer);
            let error = job(&sim, &object).write("a", "1", "").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::StorageUnavailable, "{operation} {error}");
        }
    }
}

#[tokio::test]
async fn an_output_that_storage_calls_invalid_names_the_setting_and_blames_no_object() {
    for (lost, operation) in [(false, Operation::Create), (true, Operation::Get)] {
        let (sim, object) = uploaded("in/a", "");
        if lost {
            sim.fail_next(Operation::Create, Fault::Before(Kind::Unknown));
        }
        // The first look is at the object itself.
        let number = if lost { 2 } else { 1 };
        sim.fail_nth(operation, number, Fault::Before(Kind::Invalid));
        let error = job(&sim, &object).write("a", "1", "").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misconfigured);
        for part in ["BRIGADE_OUTPUT", "gs://data/features/a", "fix: "] {
            assert!(error.message().contains(part), "{error}");
        }
    }
}

#[tokio::test]
async fn an_output_of_a_program_that_storage_calls_invalid_blames_no_object() {
    let worker = TestWorker::new(program());
    worker.bucket().fail_next(Operation::Create, Fault::Before(Kind::Invalid));
    assert_eq!(fails(&worker).await.0, ErrorKind::Misconfigured);
}

#[tokio::test]
async fn a_name_that_no_output_can_have_is_the_processors_own_failure() {
    let (sim, object) = uploaded("in/a", "");
    for name in ["x".repeat(1_025 - "features/".len()), "a\nb".to_owned()] {
        let answer = job(&sim, &object).write(&name, "1", "").await;
        assert_eq!(kind(answer), ErrorKind::Internal);
    }
    assert_eq!(sim.calls(Operation::Create), 0);
    let longest = "x".repeat(1_024 - "features/".len());
    job(&sim, &object).write(&longest, "1", "").await.unwrap();
}
