mod outages;

use brigade_sim::Fault;
use brigade_storage::{FileContent, Kind, Operation};
use futures::TryStreamExt as _;

use super::*;
use crate::{
    error::{ErrorKind, ProcessError},
    processor::{Outcome, Processor},
    testing::TestWorker,
    tests::fixtures::{BUCKET, HOUR, job, job_with, request, settings, sim, uploaded},
};

fn kind<T: fmt::Debug>(answer: Result<T, ProcessError>) -> ErrorKind {
    answer.unwrap_err().kind()
}

#[tokio::test(start_paused = true)]
async fn a_job_knows_its_object_and_how_long_it_may_take() {
    let (sim, object) = uploaded("in/night 1.csv", "abc");
    let job = job(&sim, &object);
    assert_eq!(job.file_name(), "night 1.csv");
    assert_eq!(job.key(), format!("data/in/night 1.csv#{}", object.generation));
    assert_eq!(job.attempt(), 2);
    assert_eq!(job.remaining(), HOUR);
    tokio::time::advance(HOUR * 2).await;
    assert_eq!(job.remaining(), Duration::ZERO);
}

#[tokio::test]
async fn content_of_several_chunks_arrives_whole() {
    let content: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    let (sim, object) = uploaded("in/a", content.clone());
    let job = job(&sim, &object);
    assert_eq!(job.bytes(2_000_000).await.unwrap(), content);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    job.download(&path).await.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), content);
    let chunks: Vec<_> = job.read().await.unwrap().try_collect().await.unwrap();
    assert!(chunks.len() > 1 && chunks.concat() == content);
}

#[tokio::test]
async fn content_that_is_longer_than_the_limit_is_refused_unread() {
    let (sim, object) = uploaded("in/a", "abcd");
    let answer = job(&sim, &object).bytes(3).await;
    assert_eq!(kind(answer), ErrorKind::Refused);
    assert_eq!(sim.calls(Operation::Read), 0);
}

#[tokio::test]
async fn an_empty_object_is_read_as_one() {
    let (sim, object) = uploaded("in/a", "");
    assert!(job(&sim, &object).bytes(0).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_object_that_was_replaced_or_deleted_is_superseded_and_never_read_as_another() {
    let (sim, object) = uploaded("in/a", "old");
    let job = job(&sim, &object);
    sim.upload(BUCKET, "in/a", "new").unwrap();
    assert_eq!(kind(job.bytes(9).await), ErrorKind::Superseded);
    sim.remove(BUCKET, "in/a").unwrap();
    assert_eq!(kind(job.bytes(9).await), ErrorKind::Superseded);
}

#[tokio::test]
async fn content_other_than_was_uploaded_is_tried_again_and_leaves_no_file() {
    let (sim, object) = uploaded("in/a", "abc");
    for (size, crc32c) in [(3, 7), (2, 7), (4, object.crc32c.unwrap())] {
        let mut damaged = object.clone();
        (damaged.size, damaged.crc32c) = (size, Some(crc32c));
        let job = job(&sim, &damaged);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let error = job.download(&path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.message().contains("gs://data/in/a: "), "{error}");
        assert!(!path.exists());
        assert_eq!(kind(job.bytes(9).await), ErrorKind::Unavailable);
    }
}

#[tokio::test(start_paused = true)]
async fn a_download_that_is_cut_goes_on_where_it_was() {
    let (sim, object) = uploaded("in/a", "abcdef");
    sim.fail_next(Operation::Read, Fault::Cut(3));
    sim.fail_next(Operation::Read, Fault::Before(Kind::Unknown));
    let busy = Kind::Busy { retry_after: None };
    sim.fail_next(Operation::Read, Fault::Before(busy));
    sim.fail_next(Operation::Read, Fault::Cut(1));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    job(&sim, &object).download(&path).await.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"abcdef");
    assert_eq!(sim.calls(Operation::Read), 5);
}

#[tokio::test(start_paused = true)]
async fn a_download_that_brings_nothing_more_is_given_up_for_now() {
    let (sim, object) = uploaded("in/a", "abcdef");
    sim.fail_next(Operation::Read, Fault::Cut(3));
    for _ in 0..5 {
        sim.fail_next(Operation::Read, Fault::Cut(0));
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    assert_eq!(kind(job(&sim, &object).download(&path).await), ErrorKind::StorageUnavailable);
    assert!(!path.exists());
    assert_eq!(sim.calls(Operation::Read), 6);
}

#[tokio::test]
async fn what_time_does_not_heal_is_not_tried_again() {
    let (sim, object) = uploaded("in/a", "abcdef");
    sim.fail_next(Operation::Read, Fault::Before(Kind::PermissionDenied));
    assert_eq!(kind(job(&sim, &object).bytes(9).await), ErrorKind::Misconfigured);
    assert_eq!(sim.calls(Operation::Read), 1);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_replaced_during_its_download_is_superseded() {
    let sim = sim();
    for (cut, size) in [(Some(3), 6), (None, 6)] {
        let mut object = sim.upload(BUCKET, "in/a", "abcdef").unwrap();
        // Without a cut: as if some bytes were of the next upload already.
        object.crc32c = object.crc32c.filter(|_| cut.is_some()).or(Some(7));
        object.size = size;
        if let Some(cut) = cut {
            sim.fail_next(Operation::Read, Fault::Cut(cut));
        }
        let mut chunks = job(&sim, &object).read().await.unwrap();
        assert!(chunks.try_next().await.unwrap().is_some());
        sim.upload(BUCKET, "in/a", "ABCDEF").unwrap();
        assert_eq!(kind(chunks.try_next().await), ErrorKind::Superseded);
    }
}

#[tokio::test]
async fn an_object_that_is_removed_during_its_download_is_superseded() {
    let sim = sim();
    let mut object = sim.upload(BUCKET, "in/a", "abcdef").unwrap();
    object.crc32c = Some(7);
    let mut chunks = job(&sim, &object).read().await.unwrap();
    assert!(chunks.try_next().await.unwrap().is_some());
    sim.remove(BUCKET, "in/a").unwrap();
    assert_eq!(kind(chunks.try_next().await), ErrorKind::Superseded);
}

#[tokio::test]
async fn an_object_that_is_larger_than_the_worker_takes_is_refused_unread() {
    let small = crate::WorkerSettings { max_size: Some(3), ..settings() };
    let worker = TestWorker::with_settings(Reads, small);
    worker.process("in/a", "abc").await.unwrap();
    let error = worker.process("in/b", "abcd").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.message().contains("BRIGADE_MAX_SIZE"), "{error}");
    assert_eq!(worker.bucket().calls(Operation::Read), 1);
}

/// Reads all of it.
struct Reads;

impl Processor for Reads {
    type Error = ProcessError;

    async fn process(&self, job: &Job) -> Result<Outcome, ProcessError> {
        let chunks: Vec<_> = job.read().await?.try_collect().await?;
        Ok(Outcome::summary(format!("{} chunks", chunks.len())))
    }
}

#[tokio::test]
async fn a_file_is_an_output_as_bytes_are() {
    let (sim, object) = uploaded("in/a", "");
    let content: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &content).unwrap();
    let job = job(&sim, &object);
    let of_file = FileContent::new(file.reopen().unwrap()).await.unwrap();
    let uri = job.write("a", of_file, "application/octet-stream");
    assert_eq!(uri.await.unwrap(), "gs://data/features/a");
    assert_eq!(sim.content(BUCKET, "features/a").unwrap(), content);
    let creates = sim.calls(Operation::Create);
    let before = sim.objects(BUCKET);
    job.write("a", content, "application/octet-stream").await.unwrap();
    assert_eq!(sim.objects(BUCKET), before, "the same bytes are left alone");
    assert_eq!(sim.calls(Operation::Create), creates + 1);
}

#[tokio::test]
async fn a_file_that_is_there_is_never_overwritten_by_a_download() {
    let (sim, object) = uploaded("in/a", "abc");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    std::fs::write(&path, "mine").unwrap();
    assert_eq!(kind(job(&sim, &object).download(&path).await), ErrorKind::Internal);
    assert_eq!(std::fs::read(&path).unwrap(), b"mine");
}

#[tokio::test]
async fn a_caller_who_knows_no_checksum_gets_the_stored_one_checked() {
    let (sim, object) = uploaded("in/a", "abc");
    let mut bare = request(&object);
    let named = bare.object.as_mut().unwrap();
    (named.crc32c, named.size) = (None, 0);
    let job = job_with(&sim, bare, None);
    assert_eq!(job.bytes(3).await.unwrap(), "abc");
    sim.upload(BUCKET, "in/a", "new").unwrap();
    assert_eq!(kind(job.bytes(3).await), ErrorKind::Superseded);
}

#[tokio::test]
async fn an_output_lies_below_the_output_location() {
    let (sim, object) = uploaded("in/a", "");
    let uri = job(&sim, &object).write("x/a.json", "{}", "application/json").await.unwrap();
    assert_eq!(uri, "gs://data/features/x/a.json");
    assert_eq!(sim.content(BUCKET, "features/x/a.json").unwrap(), "{}");
    assert_eq!(sim.objects(BUCKET)[0].content_type, "application/json");
}

#[tokio::test]
async fn a_repeated_run_does_not_double_its_outputs() {
    let (sim, object) = uploaded("in/a", "");
    let job = job(&sim, &object);
    let generation = || sim.objects(BUCKET)[0].generation;
    job.write("a", "1", "text/plain").await.unwrap();
    let first = generation();
    job.write("a", "1", "text/plain").await.unwrap();
    assert_eq!(generation(), first, "identical content is left alone");
    job.write("a", "2", "text/plain").await.unwrap();
    assert!(generation() > first);
    assert_eq!(sim.content(BUCKET, "features/a").unwrap(), "2");
    assert_eq!(sim.objects(BUCKET).len(), 2);
}

#[tokio::test]
async fn an_output_whose_answer_was_lost_is_written_once() {
    let (sim, object) = uploaded("in/a", "");
    sim.fail_next(Operation::Create, Fault::AppliedThenLost);
    job(&sim, &object).write("a", "1", "").await.unwrap();
    assert_eq!(sim.calls(Operation::Create), 1);
}

#[tokio::test]
async fn an_output_that_was_not_applied_is_written_again() {
    let (sim, object) = uploaded("in/a", "");
    sim.fail_next(Operation::Create, Fault::Before(Kind::Unknown));
    job(&sim, &object).write("a", "1", "").await.unwrap();
    assert_eq!(sim.content(BUCKET, "features/a").unwrap(), "1");
}

#[tokio::test]
async fn an_output_that_others_keep_changing_is_given_up_for_now() {
    let (sim, object) = uploaded("in/a", "");
    for _ in 0..4 {
        sim.fail_next(Operation::Create, Fault::Before(Kind::Precondition));
    }
    let answer = job(&sim, &object).write("a", "1", "").await;
    assert_eq!(kind(answer), ErrorKind::Unavailable);
}

#[tokio::test]
async fn an_output_never_replaces_the_object_itself() {
    let (sim, object) = uploaded("features/a", "precious");
    let error = job(&sim, &object).write("a", "1", "").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    assert!(error.message().contains("BRIGADE_OUTPUT"), "{error}");
    assert_eq!(sim.content(BUCKET, "features/a").unwrap(), "precious");
}

#[tokio::test]
async fn a_missing_output_bucket_blames_no_object() {
    let (sim, object) = uploaded("in/a", "");
    let mut output = settings().output.unwrap();
    output.bucket = "nowhere".into();
    let job = job_with(&sim, request(&object), Some(output));
    assert_eq!(kind(job.write("a", "1", "").await), ErrorKind::Misconfigured);
}

#[tokio::test]
async fn work_elsewhere_hears_that_the_call_has_ended() {
    let (sim, object) = uploaded("in/a", "");
    let job = job(&sim, &object);
    let cancelled = job.cancelled().clone();
    assert!(!cancelled.is_cancelled());
    drop(job);
    assert!(cancelled.is_cancelled());
}
