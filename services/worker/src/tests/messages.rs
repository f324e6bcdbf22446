//! Every message of a worker that a person can meet, but for those of the exec worker.

use std::{fmt::Write as _, time::Duration};

use brigade_proto::v1::{Object, ProcessRequest};
use brigade_sim::Fault;
use brigade_storage::{Kind, Location, Operation};
use futures::TryStreamExt as _;

use crate::{
    ErrorKind, Job, Outcome, ProcessError, Processor, WorkerSettings,
    request::validate,
    sample::Recording,
    testing::TestWorker,
    tests::fixtures::{BUCKET, HOUR, job_with, request, settings, uploaded},
};

fn line(table: &mut String, case: &str, error: &ProcessError) {
    let (kind, delay) = (error.kind(), error.delay());
    let _ = writeln!(table, "{case}: {kind:?}, {delay:?}: {error}");
}

#[test]
fn a_request_that_is_wrong() {
    let object = || Object {
        bucket: "data".into(),
        name: "in/a".into(),
        generation: 7,
        ..Object::default()
    };
    let of = |object| ProcessRequest { object: Some(object), ..ProcessRequest::default() };
    let nothing = Object { size: -1, md5_hash: vec![1], ..Object::default() };
    let all = ProcessRequest { attempt: -1, ..of(nothing) };
    let other = ProcessRequest { idempotency_key: "data/in/b#7".into(), ..of(object()) };
    let mut table = String::new();
    for (case, request) in
        [("no object", ProcessRequest::default()), ("all wrong", all), ("another key", other)]
    {
        line(&mut table, case, &validate(request).unwrap_err());
    }
    insta::assert_snapshot!(table);
}

/// Does what the object's name says.
struct Obedient;

impl Processor for Obedient {
    type Error = ProcessError;

    async fn process(&self, job: &Job) -> Result<Outcome, ProcessError> {
        match job.file_name() {
            "panic" => panic!("index out of bounds"),
            "panic with a number" => std::panic::panic_any(7),
            "limit" => Ok(job.bytes(3).await.map(|_| Outcome::default())?),
            "no name" => job.write("", "", "").await.map(Outcome::summary),
            "itself" => job.write("in/itself", "", "").await.map(Outcome::summary),
            "waits" => {
                std::future::pending::<()>().await;
                Ok(Outcome::default())
            }
            "says" => {
                job.progress("fold 3 of 5");
                std::future::pending().await
            }
            _ => {
                let chunks: Vec<_> = job.read().await?.try_collect().await?;
                Ok(Outcome::summary(chunks.len().to_string()))
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_did_not_end_well() {
    let limited = |output| WorkerSettings {
        timeout: Duration::from_secs(5),
        max_size: Some(6),
        output: Some(Location::new("test", output)),
        output_name: "{file}".parse().ok(),
        ..settings()
    };
    let worker = TestWorker::with_settings(Obedient, limited(""));
    let mut table = String::new();
    for (name, content) in [
        ("panic", ""),
        ("panic with a number", ""),
        ("limit", "abcd"),
        ("too large", "abcdefg"),
        ("no name", ""),
        ("in/itself", ""),
        ("waits", ""),
        ("says", ""),
    ] {
        let error = worker.process(name, content).await.unwrap_err();
        line(&mut table, name, &error);
    }
    worker.bucket().fail_next(Operation::Read, Fault::Cut(3));
    worker.bucket().fail_next(Operation::Read, Fault::Delay(HOUR));
    let error = worker.process("reads", "abcdef").await.unwrap_err();
    line(&mut table, "reads", &error);
    let full =
        TestWorker::with_settings(Obedient, WorkerSettings { concurrency: Some(0), ..settings() });
    let error = full.process("a", "").await.unwrap_err();
    line(&mut table, "full", &error);
    insta::assert_snapshot!(table);
}

#[tokio::test(start_paused = true)]
async fn content_and_outputs() {
    let (sim, object) = uploaded("in/a", "abc");
    let mut table = String::new();
    for (size, crc32c) in [(3, 7), (2, 7), (4, object.crc32c.unwrap())] {
        let mut damaged = object.clone();
        (damaged.size, damaged.crc32c) = (size, Some(crc32c));
        let job = job_with(&sim, request(&damaged), None);
        line(&mut table, "damaged", &job.bytes(9).await.unwrap_err());
    }
    let mut bare = request(&object);
    bare.object.as_mut().unwrap().crc32c = None;
    let job = job_with(&sim, bare, None);
    let no_place = job.write("a", "1", "").await.unwrap_err();
    line(&mut table, "no place", &no_place);
    let job_with_output = job_with(&sim, request(&object), settings().output);
    for kind in
        [Kind::Invalid, Kind::PermissionDenied, Kind::Held, Kind::Busy { retry_after: None }]
    {
        for _ in 0..4 {
            sim.fail_next(Operation::Create, Fault::Before(kind.clone()));
        }
        let refused = job_with_output.write("a", "1", "").await.unwrap_err();
        line(&mut table, "output", &refused);
        sim.clear_faults();
    }
    let bad_name = job_with_output.write("a\nb", "1", "").await.unwrap_err();
    line(&mut table, "bad name", &bad_name);
    for kind in [Kind::Unknown, Kind::Invalid] {
        sim.fail_next(Operation::Get, Fault::Before(kind));
        line(&mut table, "read", &job.bytes(9).await.unwrap_err());
    }
    sim.upload(BUCKET, "in/a", "new").unwrap();
    let text = job.bytes(9).await.unwrap_err();
    assert_eq!(text.kind(), ErrorKind::Superseded);
    line(&mut table, "replaced", &text);
    insta::assert_snapshot!(table);
}

#[test]
fn a_recording_that_is_none() {
    let mut table = String::new();
    for content in [
        "".as_bytes(),
        b"day,reaction\n0,1\n",
        b"day,reaction_ms\n0,\xff\n",
        b"day,reaction_ms\n0,1,2\n",
        b"day,reaction_ms\n0,1\n1,1\n",
        b"day,reaction_ms\n0.5,1\n",
        b"day,reaction_ms\n0,n/a\n",
        b"day,reaction_ms\n0,1\n0,2\n",
    ] {
        let _ = writeln!(table, "{}", Recording::read(content).unwrap_err());
    }
    insta::assert_snapshot!(table);
}
