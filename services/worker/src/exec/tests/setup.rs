//! Programs that cannot run, which no object is to blame for.

use super::*;

/// An executable script, which becomes this after the worker has started. It must outlive its run.
fn executable(content: &str) -> (ExecProcessor, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("score");
    fs::write(&path, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    let program = exec(path.to_str().unwrap());
    fs::write(&path, content).unwrap();
    (program, directory)
}

async fn kind(processor: ExecProcessor) -> ErrorKind {
    refusal(processor).await.0
}

#[tokio::test]
async fn an_exit_status_of_126_127_or_78_blames_no_object() {
    for (code, meaning) in [(126, "cannot be executed"), (127, "not found"), (78, "EX_CONFIG")] {
        let (kind, reason) = refusal(script(&format!("echo last words >&2; exit {code}"))).await;
        assert_eq!(kind, ErrorKind::Misconfigured, "{code}");
        for part in [&format!("exit status {code} ("), meaning, "): last words; fix: "] {
            assert!(reason.contains(part), "{reason}");
        }
    }
}

#[tokio::test]
async fn a_script_whose_command_or_interpreter_is_missing_blames_no_object() {
    for content in [
        "#!/usr/bin/env no-such-interpreter\n",
        "#!/usr/bin/env sh\r\nexit 0\r\n",
        "#!/no/such/interpreter\n",
        "#!/bin/sh\r\nexit 0\r\n",
        "#!/bin/sh\nno-such-command-here \"$1\"\n",
        "#!/bin/sh\n/etc/passwd \"$1\"\n",
    ] {
        let (program, _directory) = executable(content);
        assert_eq!(kind(program).await, ErrorKind::Misconfigured, "{content:?}");
    }
}

#[tokio::test]
async fn every_other_exit_status_is_about_the_object() {
    for code in (1..=255).filter(|code| ![75, 78, 126, 127].contains(code)) {
        let (summary, complaint) = (String::new(), String::new());
        let run = Run { end: End::Exited(code), summary, complaint };
        let error = interpret(run, None, false, "score").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal, "{code}");
    }
}

#[tokio::test]
async fn a_script_that_is_gone_blames_no_object() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("score.sh");
    fs::write(&path, "exit 3\n").unwrap();
    let program = exec(&format!("sh {}", path.display()));
    assert_eq!(kind(program.clone()).await, ErrorKind::Internal);
    // Python ends with 2 then, like a program that does not like its arguments.
    fs::remove_file(&path).unwrap();
    let (kind, reason) = refusal(program).await;
    assert_eq!(kind, ErrorKind::Misconfigured);
    assert!(reason.contains("score.sh\" does not exist"), "{reason}");
}
