//! Objects that are stored as gzip.

use std::fmt::Write as _;

use brigade_proto::v1::{ProcessRequest, ProcessResponse};
use flate2::{Compression, write::GzEncoder};

use super::*;
use crate::WorkerSettings;

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    std::io::Write::write_all(&mut encoder, content).unwrap();
    encoder.finish().unwrap()
}

/// An object of these bytes with a content encoding.
fn stored(content: impl Into<Vec<u8>>, encoding: &str) -> (Sim, ProcessRequest) {
    let (sim, object) = uploaded("in/night.csv", content.into());
    let mut request = request(&object);
    request.object.as_mut().unwrap().content_encoding = encoding.to_owned();
    (sim, request)
}

/// Tells what a program gets.
fn tell() -> ExecProcessor {
    script(
        r#"cat "$1" > "$OUTPUT_DIR/copy"; ls "$TMPDIR" >&2; echo "[$OBJECT_CONTENT_ENCODING] ${1##*/}""#,
    )
}

async fn process(
    (sim, request): &(Sim, ProcessRequest),
    unpack: bool,
    max_size: Option<u64>,
) -> Result<ProcessResponse, Arc<ProcessError>> {
    let settings = WorkerSettings { max_size, ..settings() };
    let program = ExecProcessor { unpack, ..tell() };
    Runner::new(program, Arc::new(sim.clone()), &settings).run(request.clone(), Some(HOUR)).await
}

fn copy((sim, _): &(Sim, ProcessRequest)) -> Option<Vec<u8>> {
    sim.objects(BUCKET)
        .iter()
        .find(|object| object.name.ends_with("copy"))
        .map(|object| sim.content(BUCKET, &object.name).unwrap().to_vec())
}

#[tokio::test]
async fn a_gzip_object_is_unpacked_for_a_program_that_asks_for_it() {
    for encoding in ["gzip", "GZIP "] {
        let object = stored(gzip(b"day,ms\n"), encoding);
        assert_eq!(process(&object, true, None).await.unwrap().summary, "[] night.csv");
        assert_eq!(copy(&object).unwrap(), b"day,ms\n");
    }
}

#[tokio::test]
async fn several_members_are_all_unpacked() {
    let object = stored([gzip(b"one\n"), gzip(b""), gzip(b"two\n")].concat(), "gzip");
    process(&object, true, None).await.unwrap();
    assert_eq!(copy(&object).unwrap(), b"one\ntwo\n");
}

#[tokio::test]
async fn without_the_option_a_program_gets_the_stored_bytes_and_their_encoding() {
    let packed = gzip(b"day,ms\n");
    let object = stored(packed.clone(), "gzip");
    assert_eq!(process(&object, false, None).await.unwrap().summary, "[gzip] night.csv");
    assert_eq!(copy(&object).unwrap(), packed);
}

#[tokio::test]
async fn another_encoding_and_a_name_that_ends_in_gz_unpack_nothing() {
    let packed = gzip(b"day,ms\n");
    for encoding in ["", "br", "gzip, br"] {
        let object = stored(packed.clone(), encoding);
        let answer = process(&object, true, None).await.unwrap();
        assert_eq!(answer.summary, format!("[{encoding}] night.csv"));
        assert_eq!(copy(&object).unwrap(), packed);
    }
}

#[tokio::test]
async fn a_broken_gzip_object_is_refused_with_a_reason_and_the_program_never_runs() {
    let packed = gzip(b"day,ms\n");
    let mut wrong_sum = packed.clone();
    wrong_sum[packed.len() - 8] ^= 1;
    let mut wrong_stream = packed.clone();
    wrong_stream[10] ^= 0xff;
    let mut table = String::new();
    for (case, content) in [
        ("not gzip", b"day,reaction_ms\n".to_vec()),
        ("empty", Vec::new()),
        ("truncated", packed[..packed.len() - 9].to_vec()),
        ("truncated checksum", packed[..packed.len() - 1].to_vec()),
        ("truncated header", packed[..5].to_vec()),
        ("wrong checksum", wrong_sum),
        ("wrong stream", wrong_stream),
        ("trailing garbage", [packed.as_slice(), b"garbage garbage"].concat()),
        ("truncated second member", [&packed[..], &packed[..12]].concat()),
    ] {
        let object = stored(content, "gzip");
        let error = process(&object, true, None).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{case}");
        assert_eq!(copy(&object), None, "{case}");
        writeln!(table, "{case}: {error}").unwrap();
    }
    insta::assert_snapshot!(table);
}

#[tokio::test]
async fn the_largest_size_bounds_what_an_object_unpacks_to() {
    let bomb = gzip(&vec![0; 10_000_000]);
    assert!(bomb.len() < 20_000, "{}", bomb.len());
    let object = stored(bomb, "gzip");
    let error = process(&object, true, Some(9_999_999)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.message().contains("BRIGADE_MAX_SIZE"), "{error}");
    assert_eq!(copy(&object), None);
    process(&object, true, Some(10_000_000)).await.unwrap();
    assert_eq!(copy(&object).unwrap().len(), 10_000_000);
}

#[tokio::test]
async fn damaged_bytes_are_told_from_a_broken_upload_before_anything_is_unpacked() {
    let (sim, mut request) = stored(gzip(b"day,ms\n"), "gzip");
    let object = request.object.as_mut().unwrap();
    object.crc32c = object.crc32c.map(|sum| sum ^ 1);
    let error = process(&(sim, request), true, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}
