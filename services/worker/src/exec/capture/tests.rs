use brigade_runtime::telemetry::Buffer;
use tokio::io::AsyncWriteExt as _;

use super::*;
use crate::tests::fixtures::listen;

/// The messages so far.
fn messages(buffer: &Buffer) -> Vec<String> {
    let message = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["message"].as_str().unwrap().to_owned()
    };
    buffer.text().lines().map(message).collect()
}

fn capture() -> Capture {
    Capture::new("data/in/a#7", Stream::Stderr)
}

/// What a stream that is written at once leaves.
fn written(bytes: &[u8]) -> Capture {
    let capture = capture();
    bytes.chunks(CHUNK).for_each(|chunk| capture.push(chunk));
    capture
}

/// What is logged of it.
fn logged(chunks: &[&[u8]]) -> Vec<String> {
    let (buffer, _guard) = listen();
    let capture = capture();
    for chunk in chunks {
        capture.push(chunk);
    }
    capture.finish();
    messages(&buffer)
}

#[test]
fn the_reason_begins_with_the_last_line_and_the_memory_is_bounded() {
    let mut noise = "noise\n".repeat(1_000_000).into_bytes();
    noise.extend(b"Traceback:\nValueError: no column \xffx\n\n");
    let capture = written(&noise);
    let capacity = capture.state().kept.capacity();
    assert!(capacity <= 2 * (MAX_KEPT + CHUNK), "{capacity}");
    let shown = capture.lines();
    assert!(shown.starts_with("ValueError: no column \u{fffd}x (after: noise | "), "{shown}");
    assert!(shown.ends_with("noise | Traceback:)") && shown.len() <= MAX_SHOWN, "{shown}");
    assert_eq!(capture.last_line(), "ValueError: no column \u{fffd}x");
}

#[test]
fn of_one_endless_line_as_much_as_fits_is_shown() {
    let capture = written("é".repeat(50_000).as_bytes());
    assert_eq!(capture.lines(), "é".repeat(512));
    assert_eq!(written(b"").lines(), "");
}

#[test]
fn each_line_is_logged_with_its_object_and_its_stream() {
    let (buffer, _guard) = listen();
    let capture = capture();
    capture.push(b"one\n\n  two");
    capture.push(b" and more\r\nthree");
    capture.finish();
    Capture::new("", Stream::Stdout).push(b"idle\n");
    assert_eq!(messages(&buffer), ["one", "two and more", "three", "idle"]);
    let text = buffer.text();
    for expected in
        [r#""object":"data/in/a#7""#, r#""stream":"stderr""#, r#""object":"between two objects""#]
    {
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn of_a_progress_bar_the_last_state_is_logged_and_lines_before_it_are_kept() {
    let mut chunks: Vec<&[u8]> = vec![b"3 files\n"];
    chunks.extend(vec![b"\r 10% of the files are scored".as_slice(); 5_000]);
    chunks.extend([b"\r 99%".as_slice(), b"\r", b"100%\r", b"\n"]);
    assert_eq!(logged(&chunks), ["3 files", "100%"]);
    assert_eq!(written(&chunks.concat()).lines(), "100% (after: 3 files)");
    // Each state of one that ends its lines is a line.
    assert_eq!(logged(&[b"1\r\n2\r", b"\n3\r\n"]), ["1", "2", "3"]);
}

#[test]
fn a_line_that_is_too_long_is_logged_in_parts_and_no_character_is_split() {
    let text = format!("a{}", "é".repeat(10_000));
    for size in [1, 7, CHUNK, 1_000_000] {
        let chunks: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
        let parts = logged(&chunks);
        assert!(parts.iter().all(|part| part.len() <= MAX_LINE), "{size}");
        assert_eq!((parts.len(), parts.concat()), (3, text.clone()), "{size}");
    }
}

#[test]
fn more_lines_of_one_object_than_the_limit_are_counted() {
    let rest =
        "more lines are not logged: the limit is 1,000 lines or 256 KiB for each object and stream";
    let messages = logged(&[b"out\n".repeat(1_234).as_slice()]);
    assert_eq!(messages.len(), 1_001);
    assert_eq!(messages[1_000], format!("234 {rest}"));
    let messages = logged(&[format!("{}\n", "x".repeat(8_000)).repeat(40).as_bytes()]);
    assert_eq!(messages.len(), 34);
    assert_eq!(messages[33], format!("7 {rest}"));
}

/// Each takes hours when the work grows with the square of the size.
#[test]
fn a_flood_of_blank_lines_carriage_returns_or_nuls_costs_no_more_than_one_of_text() {
    for flood in ["\n", "\r", "\0", "\r\n", "x\r", "x\n\r", "\0\n", " "] {
        let capture = written(b"begun\n");
        let bytes = flood.repeat(4 * 1_024 * 1_024);
        bytes.as_bytes().chunks(CHUNK).for_each(|chunk| capture.push(chunk));
        assert!(capture.state().kept.len() <= 2 * MAX_KEPT + CHUNK, "{flood:?}");
        // As a program that writes each byte by itself.
        bytes.as_bytes()[..1_024 * 1_024].chunks(1).for_each(|byte| capture.push(byte));
        capture.push(b"\nended\n");
        assert_eq!(capture.last_line(), "ended", "{flood:?}");
    }
    let messages = logged(&["\n".repeat(5_000).as_bytes(), b"late\n"]);
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert!(messages[0].contains("more lines are not logged"), "{messages:?}");
}

#[test]
fn repeated_carriage_returns_lose_no_text() {
    assert_eq!(logged(&[b"one\r\r", b"\r\n\r\r\n", b"\r\r\rtwo\r", b"\r\n"]), ["one", "two"]);
    assert_eq!(written(b"one\r\r\n\r\r\rtwo").lines(), "two (after: one)");
}

#[tokio::test(start_paused = true)]
async fn text_without_the_end_of_its_line_is_logged_after_a_second() {
    let (buffer, _guard) = listen();
    let (mut program, stream) = tokio::io::duplex(64);
    let capture = capture();
    let reading = tokio::spawn({
        let capture = capture.clone();
        async move { capture.drain(stream).await }
    });
    program.write_all(b"\nloading \xc3").await.unwrap();
    tokio::time::sleep(FLUSH_AFTER / 2).await;
    assert!(messages(&buffer).is_empty());
    tokio::time::sleep(FLUSH_AFTER).await;
    assert_eq!(messages(&buffer), ["loading"]);
    program.write_all(b"\xa9 done\n").await.unwrap();
    drop(program);
    reading.await.unwrap();
    assert_eq!(messages(&buffer), ["loading", "é done"]);
    assert_eq!(capture.last_line(), "loading é done");
}
