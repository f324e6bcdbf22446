//! Connections that are cut.

use std::{collections::BTreeSet, sync::Arc};

use brigade_proto::v1::{ProcessResponse, worker_service_client::WorkerServiceClient};
use brigade_worker::{Job, Outcome, ProcessError, Processor, WorkerSettings, routes};
use bytes::Bytes;
use futures::TryStreamExt as _;
use tonic::{Code, Status};

use super::{
    request,
    server::{Content, Script, serve},
    store,
};

/// Reads the content twice, as a stream and into a file, and holds both against what was uploaded.
struct Compares(Bytes);

impl Processor for Compares {
    type Error = ProcessError;

    async fn process(&self, job: &Job) -> Result<Outcome, ProcessError> {
        let chunks: Vec<Bytes> = job.read().await?.try_collect().await?;
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("a");
        job.download(&path).await?;
        let same = chunks.concat() == self.0 && std::fs::read(&path)? == self.0;
        Ok(Outcome::summary(if same { "the same" } else { "others" }))
    }
}

async fn processed(
    content: &Bytes,
    crc32c: u32,
    script: &Arc<Script>,
) -> Result<ProcessResponse, Status> {
    let address = serve(Content::Bytes(content.clone()), script.clone()).await;
    let store = store(&address.to_string()).await;
    let settings = WorkerSettings::default();
    let router = routes(Compares(content.clone()), store, &settings);
    let size = content.len() as u64;
    let answer = WorkerServiceClient::new(router).process(request(size, crc32c)).await;
    answer.map(tonic::Response::into_inner)
}

fn random(random: &mut fastrand::Rng, size: usize) -> Bytes {
    std::iter::repeat_with(|| random.u8(..)).take(size).collect()
}

#[tokio::test]
async fn a_download_that_is_cut_at_ten_random_offsets_goes_on_and_the_checksum_holds() {
    let seed = fastrand::u64(..);
    println!("the seed is {seed}");
    let mut dice = fastrand::Rng::with_seed(seed);
    let content = random(&mut dice, 3_000_000);
    let mut cuts = BTreeSet::new();
    while cuts.len() < 10 {
        cuts.insert(dice.u64(1..content.len() as u64));
    }
    let script = Arc::new(Script::default());
    // The first five meet the stream, the others the file.
    let (first, second): (Vec<u64>, Vec<u64>) = cuts.iter().partition(|cut| **cut % 2 == 0);
    let whole = content.len() as u64;
    let both = first.iter().chain([&whole]).chain(&second);
    // A cut at the very end is none.
    script.cuts.lock().unwrap().extend(both);
    let response = processed(&content, crc32c::crc32c(&content), &script).await;
    assert_eq!(response.unwrap().summary, "the same");
    let asked = script.asked.lock().unwrap().clone();
    let expected: Vec<u64> = [0].iter().chain(&first).chain([&0]).chain(&second).copied().collect();
    assert_eq!(asked, expected, "each goes on exactly where it was cut");
}

#[tokio::test]
async fn a_download_that_is_cut_without_a_byte_more_is_given_up_for_now() {
    let content = Bytes::from_static(b"0123456789");
    let script = Arc::new(Script::default());
    script.cuts.lock().unwrap().extend([4; 100]);
    let status = processed(&content, crc32c::crc32c(&content), &script).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert_eq!(script.asked.lock().unwrap().len(), 6, "the first, and five in vain");
}

#[tokio::test]
async fn bytes_that_were_damaged_on_their_way_are_no_content() {
    let content = Bytes::from_static(b"0123456789");
    let script = Arc::new(Script::default());
    let status = processed(&content, 7, &script).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert!(status.message().contains("CRC32C"), "{status:?}");
}
