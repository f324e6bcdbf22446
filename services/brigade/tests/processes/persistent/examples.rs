//! The programs of `examples/programs`, as `docs/PROTOCOL.md` shows them.

use std::{fs, path::Path};

use super::{Worker, works};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Has one job answered before the next one: an interpreter that reads until its buffer is full answers none.
async fn counts_lines(interpreter: &str, file: &str, needs: &str) {
    if !works(needs) {
        return;
    }
    let program = format!("{interpreter} {ROOT}/examples/programs/{file}");
    let worker = Worker::of(&program, &[]).await;
    for (name, content, lines) in [("in/a ü\"\\.txt", "x\ny\n", "2"), ("in/b.txt", "x\n", "1")] {
        let answer = worker.process_named(name, content).await;
        assert_eq!(
            (answer.status, answer.summary()),
            (200, &*format!("{lines} lines")),
            "{answer:?}"
        );
        assert_eq!(answer.body["labels"]["lines"], lines, "{answer:?}");
        let uri = answer.body["outputs"][0].as_str().unwrap();
        let output = uri.strip_prefix("gs://data/").unwrap();
        let output = worker.emulator.storage().bucket("data").read(output).unwrap().unwrap();
        assert_eq!(String::from_utf8_lossy(&output).trim(), lines);
    }
    let refused = worker.process_named("in/empty", "").await;
    assert_eq!((refused.status, refused.error()), (500, "it has no lines"), "{refused:?}");
    let log = worker.process.log();
    assert!(!log.contains("\"level\":\"WARN\""), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shell_program_of_the_documents_counts_lines() {
    counts_lines("sh", "lines.sh", "jq --version").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_node_program_of_the_documents_counts_lines() {
    counts_lines("node", "lines.js", "node --version").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_r_program_of_the_documents_counts_lines() {
    counts_lines("Rscript", "lines.R", "Rscript -e 'library(jsonlite)'").await;
}

#[test]
fn the_programs_of_the_documents_are_those_that_run() {
    let document = fs::read_to_string(Path::new(ROOT).join("docs/PROTOCOL.md")).unwrap();
    let blocks: Vec<_> = document.split("<!-- file: ").skip(1).collect();
    assert_eq!(blocks.len(), 3);
    for block in blocks {
        let (file, block) = block.split_once(" -->\n```").unwrap();
        let (_, block) = block.split_once('\n').unwrap();
        let (block, _) = block.split_once("```").unwrap();
        assert_eq!(block, fs::read_to_string(Path::new(ROOT).join(file)).unwrap(), "{file}");
    }
}
