//! How much memory the emulator takes for large objects on a directory. Alone in its process, whose peak is measured.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
};

use brigade_emulator::Emulator;
use tokio::{net::TcpListener, task::spawn_blocking};

const MB: u64 = 1_000_000;
const BUCKET: &str = "some-bucket";

#[tokio::test(flavor = "multi_thread")]
async fn three_large_objects_at_once_pass_through_in_pieces() {
    let grown = three_at_once(64 * MB).await;
    assert!(grown < 40 * MB, "{grown} bytes more");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes 3.6 GB; bash .ci/slow memory"]
async fn three_objects_of_600_mb_at_once_pass_through_in_pieces() {
    let grown = three_at_once(600 * MB).await;
    println!("three objects of 600 MB, up, copied and down: {} MB more at the peak", grown / MB);
    assert!(grown < 60 * MB, "{grown} bytes more");
}

/// Uploads, copies and downloads three objects of this size at once; by how much the process's peak of memory grew.
async fn three_at_once(size: u64) -> u64 {
    let directory = tempfile::tempdir().unwrap();
    let builder = Emulator::builder().directory(BUCKET, directory.path());
    let google = builder.start(TcpListener::bind("127.0.0.1:0").await.unwrap()).await.unwrap();
    let address = google.url().socket_addrs(|| None).unwrap()[0];
    // 5: begin the peak from here.
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = peak();
    spawn_blocking(move || {
        thread::scope(|scope| {
            for (name, kind) in [("a", "media"), ("b", "multipart"), ("c", "resumable")] {
                scope.spawn(move || pass(address, name, kind, size));
            }
        });
    })
    .await
    .unwrap();
    let grown = peak().saturating_sub(before);
    for name in ["a", "b", "c", "a-copy", "b-copy", "c-copy"] {
        assert_eq!(fs::metadata(directory.path().join(name)).unwrap().len(), size, "{name}");
    }
    let hidden = fs::read_dir(directory.path().join(".brigade-emulator")).unwrap();
    assert_eq!(hidden.count(), 0);
    google.stop().await;
    grown
}

/// One object: up, copied, and the copy down.
fn pass(address: SocketAddr, name: &str, kind: &str, size: u64) {
    let at = format!("/storage/v1/b/{BUCKET}/o");
    let uploads = format!("/upload{at}?uploadType={kind}&name={name}");
    match kind {
        "media" => {
            call(address, &format!("POST {uploads}"), "", ["", ""], size);
        }
        "multipart" => {
            let around = ["--x\r\n\r\n{}\r\n--x\r\n\r\n", "\r\n--x--\r\n"];
            let head = "content-type: multipart/related; boundary=x\r\n";
            call(address, &format!("POST {uploads}"), head, around, size);
        }
        _ => {
            let (head, _) = call(address, &format!("POST {uploads}"), "", ["", ""], 0);
            let location = head.lines().find_map(|line| line.strip_prefix("location: http://"));
            let session = location.unwrap().split_once('/').unwrap().1.to_owned();
            let half = size / 2 / (256 * 1024) * (256 * 1024);
            for (first, end, total) in [(0, half, "*"), (half, size, &size.to_string()[..])] {
                let range = format!("content-range: bytes {first}-{}/{total}\r\n", end - 1);
                call(address, &format!("PUT /{session}"), &range, ["", ""], end - first);
            }
        }
    }
    let copy = format!("POST {at}/{name}/copyTo/b/{BUCKET}/o/{name}-copy");
    call(address, &copy, "", ["", ""], 0);
    let (_, received) = call(address, &format!("GET {at}/{name}-copy?alt=media"), "", ["", ""], 0);
    assert_eq!(received, size);
}

/// A call whose body is `size` bytes between two others. The answer's head, and how long its body is.
fn call(
    address: SocketAddr,
    line: &str,
    head: &str,
    around: [&str; 2],
    size: u64,
) -> (String, u64) {
    let piece = vec![b'x'; 64 * 1024];
    let mut stream = TcpStream::connect(address).unwrap();
    let length = size + (around[0].len() + around[1].len()) as u64;
    let head = format!(
        "{line} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n{head}\r\n{}",
        around[0]
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut left = usize::try_from(size).unwrap();
    while left > 0 {
        let part = left.min(piece.len());
        stream.write_all(&piece[..part]).unwrap();
        left -= part;
    }
    stream.write_all(around[1].as_bytes()).unwrap();

    let (mut answer, mut received) = (Vec::new(), 0);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = stream.read(&mut buffer).unwrap();
        received += read as u64;
        if read == 0 {
            break;
        }
        if answer.len() < 4096 {
            answer.extend_from_slice(&buffer[..read]);
        }
    }
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split(' ').nth(1).unwrap();
    assert!(["200", "308"].contains(&status), "{line}: {head}");
    (head, received - end as u64 - 4)
}

fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}
