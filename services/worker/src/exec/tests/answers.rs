//! What a program answers in words, in `ANSWER_FILE`.

use std::fmt::Write as _;

use super::*;

/// A script that writes this answer, and then goes on.
fn answering(answer: &str, then: &str) -> ExecProcessor {
    script(&format!("printf %s {} > \"$ANSWER_FILE\"; {then}", shell_words::quote(answer)))
}

#[tokio::test]
async fn every_answer_in_words_has_its_meaning() {
    let accept = r#"{"accept":{"summary":"12 rows","labels":{"rows":12,"day":"7","of":null}}}"#;
    let refuse = r#"{"refuse":{"reason":"column day is missing","kind":"no-day"},"version":2}"#;
    let later = r#"{"later":{"seconds":30,"reason":"the database is locked"}}"#;
    let misconfigured = r#"{"misconfigured":{"reason":"no licence"}}"#;
    let mut table = String::new();
    for (answer, then) in [
        (accept, "echo out"),
        (r#"{"accept":{ }}"#, "echo out"),
        (r#"{"accept":{"labels":{"a":"b"}}}"#, "echo out"),
        (accept, "echo err >&2; exit 1"),
        (accept, "exit 75"),
        (accept, "kill -KILL $$"),
        (refuse, "exit 0"),
        (refuse, "echo err >&2; exit 1"),
        (refuse, "exit 75"),
        (refuse, "exit 127"),
        (refuse, "kill -KILL $$"),
        (r#"{"refuse":{"kind":"no-day"}}"#, "echo the last line >&2; exit 1"),
        (r#"{"refuse":{ }}"#, "exit 1"),
        (later, "exit 0"),
        (later, "exit 1"),
        (r#"{"later":{ }}"#, "exit 0"),
        (r#"{"later":{"seconds":-1}}"#, "exit 0"),
        (r#"{"later":{"seconds":1e300}}"#, "exit 0"),
        (misconfigured, "exit 0"),
        (misconfigured, "exit 1"),
        (r#"{"misconfigured":{"reason":"no licence; fix: buy one"}}"#, "exit 0"),
        (r#"{"misconfigured":{"reason":null}}"#, "exit 0"),
        (r#"{"accept":{"summary":null,"labels":null},"refuse":null}"#, "echo out"),
        (r#"{"refuse":{"reason":"no","kind":null},"accept":null}"#, "exit 1"),
        (r#"{"later":{"seconds":null,"reason":null}}"#, "exit 1"),
    ] {
        let _ = write!(table, "{answer}; {then}: ");
        let _ = match run(answering(answer, then)).await {
            Ok(Outcome { summary, labels, .. }) if labels.is_empty() => {
                writeln!(table, "accepted: {summary}")
            }
            Ok(Outcome { summary, labels, .. }) => {
                writeln!(table, "accepted: {summary} {labels:?}")
            }
            Err(error) => {
                let details = error.details();
                let (kind, exit) = (details.kind.as_str(), details.exit.as_str());
                let about = format!("{:?}, {kind:?}, {exit:?}", error.delay());
                writeln!(table, "{:?}, {about}: {error}", error.kind())
            }
        };
    }
    insta::assert_snapshot!(table);
}

#[tokio::test]
async fn an_answer_in_words_is_no_output_and_says_what_outputs_there_are() {
    let (sim, object) = uploaded("in/a", "x");
    let program = answering(r#"{"accept":{"summary":"1 file"}}"#, "echo 1 > \"$OUTPUT_DIR/b\"");
    let outcome = run_on(&sim, &object, program).await.unwrap();
    assert_eq!((outcome.summary.as_str(), outcome.outputs.len()), ("1 file", 1));
    let refused = answering(r#"{"refuse":{"reason":"no"}}"#, "echo 1 > \"$OUTPUT_DIR/c\"");
    run_on(&sim, &object, refused).await.unwrap_err();
    assert_eq!(sim.objects(BUCKET).len(), 2, "of a refused object nothing is uploaded");
}

#[tokio::test]
async fn what_is_no_answer_is_logged_and_the_exit_status_counts() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("answer.json");
    let mut table = String::new();
    let mut line = |case: &str| {
        let why = answer_file::read_now(&path).unwrap_err();
        let _ = writeln!(table, "{case}: {why}");
    };
    for contents in [
        "",
        "12 rows",
        "[]",
        "{}",
        r#"{"accept":{},"refuse":{}}"#,
        r#"{"refuse":{"reason":"a"},"refuse":{"reason":"b"}}"#,
        r#"{"refuse":{"reason":7}}"#,
        r#"{"accept":"12 rows"}"#,
        r#"{"accept":true}"#,
        r#"{"refuse":"no day"}"#,
        r#"{"later":30}"#,
        r#"{"misconfigured":"no licence"}"#,
        r#"{"later":{"seconds":NaN}}"#,
    ] {
        fs::write(&path, contents).unwrap();
        line(contents);
    }
    fs::write(&path, format!(r#"{{"accept":{{"summary":"{}"}}}}"#, "x".repeat(65_536))).unwrap();
    line("a long one");
    fs::remove_file(&path).unwrap();
    mknodat(CWD, &path, FileType::Fifo, 0o600.into(), 0).unwrap();
    line("a pipe");
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
    line("a link");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    line("a directory");
    fs::remove_dir(&path).unwrap();
    assert!(answer_file::read_now(&path).unwrap().is_none(), "no answer is none to log");
    insta::assert_snapshot!(table);
    assert_eq!(run(answering("12 rows", "echo out")).await.unwrap().summary, "out");
}
