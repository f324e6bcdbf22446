//! Large contents over a directory: what is cut off leaves nothing, and what goes on gets exactly the object's bytes.

use std::{fs, path::Path};

use serde_json::Value;
use tempfile::TempDir;
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use super::*;

const MIB: usize = 1024 * 1024;

async fn start_in(root: &Path) -> Emulator {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    Emulator::builder().directory(BUCKET, root).start(listener).await.unwrap()
}

/// The files beside the data, without those of the emulator's own notes.
fn unfinished(root: &Path) -> usize {
    let hidden = fs::read_dir(root.join(".brigade-emulator")).unwrap();
    let names = hidden.map(|file| file.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with(".unfinished-")).count()
}

/// Waits until there are so many unfinished files.
async fn until_unfinished(root: &Path, count: usize) {
    while unfinished(root) != count {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

fn content(size: usize) -> Vec<u8> {
    (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

/// Begins an upload that does not end: the connection, with `size` bytes on it.
async fn begin(emulator: &Emulator, head: &str, size: usize) -> TcpStream {
    let address = emulator.url().socket_addrs(|| None).unwrap()[0];
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("{head} HTTP/1.1\r\nhost: {address}\r\ncontent-length: 9999999\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&content(size)).await.unwrap();
    stream
}

fn media(name: &str) -> String {
    format!("POST /upload/storage/v1/b/{BUCKET}/o?uploadType=media&name={name}")
}

#[tokio::test]
async fn a_client_that_disconnects_in_an_upload_leaves_nothing() {
    let root = TempDir::new().unwrap();
    let emulator = start_in(root.path()).await;
    let stream = begin(&emulator, &media("a"), MIB).await;
    until_unfinished(root.path(), 1).await;
    assert!(emulator.storage().list("").unwrap().is_empty());
    drop(stream);
    until_unfinished(root.path(), 0).await;
    assert!(emulator.storage().list("").unwrap().is_empty());
}

#[tokio::test]
async fn a_start_removes_what_a_killed_upload_left_and_no_upload_under_way() {
    let root = TempDir::new().unwrap();
    let emulator = start_in(root.path()).await;
    let left = root.path().join(".brigade-emulator/.unfinished-left");
    fs::write(&left, "half").unwrap();
    let stream = begin(&emulator, &media("a"), MIB).await;
    until_unfinished(root.path(), 2).await;
    let other = start_in(root.path()).await;
    assert!(!left.exists() && unfinished(root.path()) == 1);
    assert!(other.storage().list("").unwrap().is_empty());
    drop(stream);
}

#[tokio::test]
async fn a_refused_upload_is_read_to_its_end_and_leaves_nothing() {
    let root = TempDir::new().unwrap();
    let emulator = start_in(root.path()).await;
    let nowhere = emulator.url().join("upload/storage/v1/b/nowhere/o?uploadType=media&name=a");
    for (url, status) in [
        (upload_url(&emulator, "uploadType=media&name=a&ifGenerationMatch=7"), 412),
        (upload_url(&emulator, "uploadType=media&name=a/../b"), 400),
        (upload_url(&emulator, "uploadType=nothing&name=a"), 400),
        (nowhere.unwrap().to_string(), 404),
    ] {
        let answer = http().post(url).body(content(9 * MIB)).send().await.unwrap();
        assert_eq!(answer.status(), status);
    }
    let wrong = http().post(upload_url(&emulator, "uploadType=media&name=a"));
    let wrong = wrong.header("x-goog-hash", "crc32c=AAAAAA==").body(content(MIB));
    assert_eq!(wrong.send().await.unwrap().status(), 400);
    assert_eq!((unfinished(root.path()), emulator.storage().list("").unwrap().len()), (0, 0));
}

#[tokio::test]
async fn a_chunk_that_breaks_off_counts_to_its_last_whole_quantum() {
    let root = TempDir::new().unwrap();
    let emulator = start_in(root.path()).await;
    let begun = http().post(upload_url(&emulator, "uploadType=resumable&name=a")).send().await;
    let session = begun.unwrap().headers()["location"].to_str().unwrap().to_owned();
    let path = session.split_once(&emulator.url().to_string()).unwrap().1.to_owned();
    let stream = begin(&emulator, &format!("PUT /{path}"), MIB + 7).await;
    until_unfinished(root.path(), 1).await;
    drop(stream);
    let ask = || http().put(&session).header("content-range", "bytes */*").send();
    let answer = ask().await.unwrap();
    assert_eq!(answer.status(), 308);
    let range = answer.headers()["range"].to_str().unwrap().to_owned();
    let have: usize = range.strip_prefix("bytes=0-").unwrap().parse::<usize>().unwrap() + 1;
    assert!(have > 0 && have <= MIB && have.is_multiple_of(256 * 1024), "{have}");
    let whole = content(2 * MIB);
    let rest = http().put(&session).body(whole[have..].to_vec());
    let rest =
        rest.header("content-range", format!("bytes {have}-{}/{}", whole.len() - 1, whole.len()));
    let stored: Value = rest.send().await.unwrap().json().await.unwrap();
    assert_eq!(stored["size"], whole.len().to_string());
    assert_eq!(fs::read(root.path().join("a")).unwrap(), whole);
    assert_eq!(unfinished(root.path()), 0);
}

/// More than a connection's buffers hold, so that the end of it is not read before the client reads.
const LARGE: usize = 32 * MIB;

/// Begins a download, lets something happen to the object, and reads on.
async fn download_while(happens: impl FnOnce(&Emulator, &Path)) -> Option<Vec<u8>> {
    let root = TempDir::new().unwrap();
    let emulator = start_in(root.path()).await;
    emulator.storage().put("a", content(LARGE)).unwrap();
    let mut download = http().get(url(&emulator, "/o/a?alt=media")).send().await.unwrap();
    let mut received = download.chunk().await.unwrap().unwrap().to_vec();
    happens(&emulator, root.path());
    while let Some(bytes) = download.chunk().await.ok()? {
        received.extend_from_slice(&bytes);
    }
    Some(received)
}

#[tokio::test]
async fn a_download_goes_on_when_its_object_is_moved_replaced_or_deleted() {
    let whole = Some(content(LARGE));
    let deleted = download_while(|google, _| google.storage().remove("a").unwrap()).await;
    assert!(deleted == whole);
    let replaced = download_while(|google, _| {
        google.storage().put("a", content(MIB)).unwrap();
    });
    assert!(replaced.await == whole);
    let moved = download_while(|_, root| {
        // As a move does it: the same file has another name and another time.
        fs::rename(root.join("a"), root.join("b")).unwrap();
        fs::File::open(root.join("b")).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    });
    assert!(moved.await == whole);
}

#[tokio::test]
async fn a_download_breaks_off_when_its_file_is_changed_in_place() {
    use std::os::unix::fs::FileExt as _;
    let changed = download_while(|_, root| {
        let file = fs::File::options().write(true).open(root.join("a")).unwrap();
        file.write_all_at(b"changed", (LARGE - 7) as u64).unwrap();
    });
    assert!(changed.await.is_none());
    let cut = download_while(|_, root| {
        let file = fs::File::options().write(true).open(root.join("a")).unwrap();
        file.set_len((LARGE - 7) as u64).unwrap();
    });
    assert!(cut.await.is_none());
}

#[tokio::test]
async fn a_large_range_and_a_copy_have_the_bytes_of_the_object() {
    let root = TempDir::new().unwrap();
    let emulator = start_in(root.path()).await;
    let whole = content(3 * MIB);
    emulator.storage().put("a", whole.clone()).unwrap();
    let range = http().get(url(&emulator, "/o/a?alt=media")).header("range", "bytes=1000-2000000");
    let range = range.send().await.unwrap();
    assert_eq!(range.headers()["content-length"], "1999001");
    assert!(range.bytes().await.unwrap() == whole[1000..=2_000_000]);
    let copy = http().post(url(&emulator, &format!("/o/a/copyTo/b/{BUCKET}/o/b"))).send().await;
    assert_eq!(copy.unwrap().status(), 200);
    assert!(fs::read(root.path().join("b")).unwrap() == whole);
    let [a, b] = ["a", "b"].map(|name| emulator.storage().get(name).unwrap().unwrap());
    assert_eq!(a.digest(), b.digest());
    assert_eq!(unfinished(root.path()), 0);
}
