//! How outputs are named and marked, and whose a run replaces.

use std::{collections::HashMap, sync::Mutex};

use brigade_proto::v1::ProcessResponse;
use brigade_sim::{Fault, Sim};
use brigade_storage::{NewObject, Operation, provenance};
use proptest::prelude::*;
use tokio::sync::Notify;

use super::*;
use crate::{
    error::ErrorKind,
    job::Job,
    processor::{Outcome, Processor},
    settings::WorkerSettings,
    testing::{BUCKET, TestWorker, request},
};

mod removal;

type Answer = Result<ProcessResponse, Arc<ProcessError>>;

/// Writes the files that the content names, one a line, then does what the last line says.
#[derive(Default)]
struct Scripted {
    writes: Notify,
    go_on: Notify,
    runs: Mutex<HashMap<String, String>>,
}

impl Processor for Scripted {
    type Error = ProcessError;

    async fn process(&self, job: &Job) -> Result<Outcome, ProcessError> {
        self.runs.lock().unwrap().insert(job.key().to_owned(), job.run().to_owned());
        let script = job.bytes(1_024).await?;
        let script = String::from_utf8_lossy(&script).into_owned();
        let mut outcome = Outcome::default();
        for line in script.lines() {
            match line {
                "refuse" => return Err(ProcessError::refuse("no")),
                "retry" => return Err(ProcessError::retry_after(Duration::ZERO, "later")),
                "panic" => panic!("no"),
                "hang" => {
                    self.writes.notify_one();
                    std::future::pending::<()>().await;
                }
                "wait" => {
                    self.writes.notify_one();
                    self.go_on.notified().await;
                }
                name => outcome = outcome.output(job.write(name, script.clone(), "").await?),
            }
        }
        Ok(outcome)
    }
}

fn worker() -> TestWorker<Arc<Scripted>> {
    TestWorker::new(Arc::default())
}

fn worker_with(name: &str, taken: Taken) -> TestWorker<Arc<Scripted>> {
    let output_name = Some(name.parse().unwrap());
    let settings = WorkerSettings { output_name, output_taken: taken, ..Default::default() };
    TestWorker::with_settings(Arc::default(), settings)
}

fn kind(answer: Answer) -> ErrorKind {
    answer.unwrap_err().kind()
}

/// An output as a run that was killed left it.
fn leftover(bucket: &Sim, name: &str, of: &Object) -> Object {
    let key = provenance::key(&of.bucket, of.pinned());
    let mut new = NewObject { content: "left".into(), ..NewObject::default() };
    new.metadata.insert(provenance::KEY.to_owned(), key);
    new.metadata.insert(provenance::RUN.to_owned(), "another".to_owned());
    bucket.upload_new(BUCKET, &format!("output/{name}"), new).unwrap()
}

fn metadata(worker: &TestWorker<Arc<Scripted>>, name: &str) -> brigade_storage::Metadata {
    let name = format!("output/{name}");
    let all = worker.bucket().objects(BUCKET).into_iter();
    all.filter(|object| object.name == name).map(|object| object.metadata).next().unwrap()
}

#[tokio::test]
async fn two_objects_of_one_name_in_two_folders_leave_two_outputs() {
    let worker = worker();
    for name in ["mon/x.txt", "tue/x.txt"] {
        worker.process(name, "result.json").await.unwrap();
    }
    assert_eq!(worker.outputs(), ["mon/x.txt/result.json", "tue/x.txt/result.json"]);
}

#[tokio::test]
async fn an_object_that_is_gone_is_superseded_also_for_an_account_that_may_not_list() {
    let worker = worker();
    let denied = Fault::Before(brigade_storage::Kind::PermissionDenied);
    worker.bucket().fail_next(Operation::Get, denied);
    let answer = worker.process("x.txt", "result.json").await;
    assert_eq!(kind(answer), ErrorKind::Superseded);
    assert!(worker.outputs().is_empty());
}

#[tokio::test]
async fn an_output_names_its_object_its_inbox_and_its_run() {
    let worker = worker();
    let object = worker.upload("in/mon/x 1%.txt", "result.json");
    let mut request = request(&object);
    request.inbox = format!("gs://{BUCKET}/in/");
    worker.process_request(request).await.unwrap();
    assert_eq!(worker.outputs(), ["mon/x 1%.txt/result.json"]);
    let marks = metadata(&worker, "mon/x 1%.txt/result.json");
    let place = format!("{BUCKET}/in/mon/x 1%25.txt#{}", object.generation);
    assert_eq!(marks[provenance::SOURCE], format!("gs://{place}"));
    assert_eq!(marks[provenance::KEY], place);
    assert_eq!(marks[provenance::INBOX], format!("gs://{BUCKET}/in/"));
    assert_eq!(marks[provenance::HOPS], "1");
    let runs = worker.processor().runs.lock().unwrap();
    assert_eq!(
        marks[provenance::RUN],
        runs[&format!("{BUCKET}/in/mon/x 1%.txt#{}", object.generation)]
    );
}

#[tokio::test]
async fn an_output_of_an_output_has_one_hop_more() {
    let worker = worker();
    worker.process("a", "stage 1").await.unwrap();
    let all = worker.bucket().objects(BUCKET);
    let first = all.iter().find(|object| object.name == "output/a/stage 1").unwrap();
    worker.process_object(first).await.unwrap();
    assert_eq!(metadata(&worker, "output/a/stage 1/stage 1")[provenance::HOPS], "2");
}

#[tokio::test]
async fn a_run_of_a_replaced_object_writes_nothing_more_and_removes_what_it_wrote() {
    for new in [Some("result"), None] {
        let worker = worker();
        let old = worker.upload("x", "one\nwait\ntwo");
        let (processor, run) = (worker.processor().clone(), worker.process_object(&old));
        let replaced = async {
            processor.writes.notified().await;
            assert_eq!(worker.outputs(), ["x/one"]);
            match new {
                Some(new) => drop(worker.upload("x", new)),
                None => worker.bucket().remove(BUCKET, "x").unwrap(),
            }
            processor.go_on.notify_one();
        };
        let (answer, ()) = tokio::join!(run, replaced);
        assert_eq!(kind(answer), ErrorKind::Superseded);
        assert!(worker.outputs().is_empty(), "{:?}", worker.outputs());
    }
}

#[tokio::test]
async fn a_run_whose_object_is_replaced_after_its_last_write_removes_what_it_wrote() {
    let worker = worker();
    let old = worker.upload("x", "one\nwait");
    let (processor, run) = (worker.processor().clone(), worker.process_object(&old));
    let replaced = async {
        processor.writes.notified().await;
        worker.process("x", "one").await.unwrap();
        processor.go_on.notify_one();
    };
    let (answer, ()) = tokio::join!(run, replaced);
    assert_eq!(kind(answer), ErrorKind::Superseded);
    assert_eq!(worker.output("x/one").unwrap(), "one", "the new upload's output stays");
}

#[tokio::test]
async fn an_output_of_a_newer_upload_is_not_replaced_by_an_older_run() {
    let worker = worker();
    let object = worker.upload("x", "one");
    let newer = Object { generation: object.generation + 1, ..object.clone() };
    leftover(worker.bucket(), "x/one", &newer);
    assert_eq!(kind(worker.process_object(&object).await), ErrorKind::Superseded);
    assert_eq!(worker.output("x/one").unwrap(), "left");
}

#[tokio::test]
async fn another_objects_output_is_kept_refused_or_replaced_as_the_setting_says() {
    for (taken, expected) in [
        (Taken::Keep, vec!["x".to_owned(), "x.GENERATION".to_owned()]),
        (Taken::Refuse, vec!["x".to_owned()]),
        (Taken::Replace, vec!["x".to_owned()]),
    ] {
        for by_worker in [true, false] {
            let worker = worker_with("{file}", taken);
            if by_worker {
                worker.process("other", "x\n").await.unwrap();
            } else {
                worker.upload("output/x", "x\n");
            }
            let object = worker.upload("mine", "x");
            let answer = worker.process_object(&object).await;
            let generation = object.generation.to_string();
            let expected: Vec<_> =
                expected.iter().map(|name| name.replace("GENERATION", &generation)).collect();
            assert_eq!(worker.outputs(), expected);
            let first = worker.output("x").unwrap();
            assert_eq!(first, if taken == Taken::Replace { "x" } else { "x\n" });
            if taken == Taken::Refuse {
                let error = answer.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::FailedPrecondition);
                for named in ["gs://test/mine", "gs://test/output/x"] {
                    assert!(error.message().contains(named), "{error}");
                }
            } else {
                let last = expected.last().unwrap();
                assert_eq!(answer.unwrap().outputs, [format!("gs://test/output/{last}")]);
            }
        }
    }
}

#[tokio::test]
async fn an_object_whose_second_name_is_taken_too_is_refused_and_both_are_named() {
    let worker = worker_with("{file}", Taken::Keep);
    let object = worker.upload("mine", "x.csv");
    let second = format!("output/x.{}.csv", object.generation);
    for name in ["output/x.csv", &second] {
        worker.upload(name, "other");
    }
    let error = worker.process_object(&object).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FailedPrecondition);
    assert!(error.message().contains("output/x.csv and gs://test/"), "{error}");
    assert!(error.message().contains(&second), "{error}");
}

#[tokio::test]
async fn a_repeated_run_of_one_object_has_the_outputs_of_one() {
    for name in ["{path}/{file}", "{stem}-{file}", "{file}"] {
        let worker = worker_with(name, Taken::Keep);
        let object = worker.upload("x", "one\ntwo");
        let first = worker.process_object(&object).await.unwrap();
        let outputs = worker.outputs();
        assert_eq!(worker.process_object(&object).await.unwrap(), first);
        assert_eq!(worker.outputs(), outputs);
    }
}

#[tokio::test(start_paused = true)]
async fn storage_that_does_not_take_a_write_for_a_moment_costs_no_run() {
    let worker = worker();
    let busy = || Fault::Before(brigade_storage::Kind::Busy { retry_after: None });
    worker.bucket().fail_next(Operation::Create, busy());
    worker.bucket().fail_next(Operation::Create, Fault::AppliedThenLost);
    worker.bucket().fail_next(Operation::Get, busy());
    worker.process("x", "result.json").await.unwrap();
    assert_eq!(worker.outputs(), ["x/result.json"]);
}

#[tokio::test]
async fn two_files_of_one_run_that_would_get_one_name_are_an_error_that_names_both() {
    let worker = worker_with("{stem}.json", Taken::Keep);
    let error = worker.process("x.csv", "one\ntwo").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    for part in ["\"one\"", "\"two\"", "output/x.json", "BRIGADE_OUTPUT_NAME"] {
        assert!(error.message().contains(part), "{error}");
    }
    assert!(worker.outputs().is_empty());
}

#[tokio::test]
async fn a_template_that_makes_an_output_its_own_object_stops_before_it_is_replaced() {
    let worker = worker_with("{path}", Taken::Replace);
    let object = worker.upload("output/x", "one");
    let mut request = request(&object);
    request.inbox = format!("gs://{BUCKET}/output/");
    assert_eq!(kind(worker.process_request(request).await), ErrorKind::Misconfigured);
    assert_eq!(worker.outputs(), ["x"]);
}

#[tokio::test]
async fn a_worker_that_may_not_list_writes_as_ever() {
    let worker = worker();
    let denied = Fault::Before(brigade_storage::Kind::PermissionDenied);
    worker.bucket().fail_next(Operation::List, denied);
    worker.process("x", "one").await.unwrap();
    assert_eq!(worker.outputs(), ["x/one"]);
}

#[tokio::test]
async fn a_run_costs_a_look_before_each_write_one_after_the_last_and_one_list() {
    let worker = worker();
    worker.process("x", "one\ntwo").await.unwrap();
    let calls = |operation| worker.bucket().calls(operation);
    assert_eq!(calls(Operation::Create), 2);
    assert_eq!((calls(Operation::Get), calls(Operation::List)), (3, 1));
    worker.process("y", "").await.unwrap();
    assert_eq!((calls(Operation::Get), calls(Operation::List)), (3, 1), "it wrote nothing");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn an_object_of_any_name_has_its_outputs_and_finds_them_again(name in "[^\r\n]{1,200}") {
        prop_assume!(![".", ".."].contains(&name.as_str()) && name.len() < 500);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let worker = worker();
            let Ok(object) = worker.bucket().upload(BUCKET, &name, "one\ntwo") else { return };
            worker.process_object(&object).await.unwrap();
            let output = metadata(&worker, &format!("{name}/one"));
            let origin = provenance::origin(&output).unwrap();
            assert_eq!((origin.name.as_str(), origin.generation), (name.as_str(), object.generation));
            leftover(worker.bucket(), &format!("{name}/three"), &object);
            worker.process_object(&object).await.unwrap();
            assert_eq!(worker.outputs(), [format!("{name}/one"), format!("{name}/two")]);
        });
    }
}
