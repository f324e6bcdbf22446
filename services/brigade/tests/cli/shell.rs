//! `brigade completions` and `brigade man`.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use tempfile::TempDir;

use crate::system::{brigade, run};

#[tokio::test]
async fn each_shell_gets_completions_that_know_every_command() {
    let home = TempDir::new().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ended = run(brigade(home.path(), ["completions", shell])).await;
        assert_eq!((ended.code, &*ended.err), (Some(0), ""), "{shell}");
        for command in ["status", "failed", "replay", "watch", "dev", "man"] {
            assert!(ended.out.contains(command), "{shell} {command}");
        }
        if shell == "bash" {
            let mut checks = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn().unwrap();
            checks.stdin.take().unwrap().write_all(ended.out.as_bytes()).unwrap();
            assert!(checks.wait().unwrap().success());
        }
    }
}

#[tokio::test]
async fn a_page_for_man_is_of_the_command_that_is_named() {
    let home = TempDir::new().unwrap();
    let whole = run(brigade(home.path(), ["man"])).await.out;
    assert!(whole.contains(".TH brigade 1") && whole.contains("replay"), "{whole}");
    let show = run(brigade(home.path(), ["man", "failed", "show"])).await.out;
    assert!(show.contains(".TH brigade-failed-show 1"), "{show}");
    let none = run(brigade(home.path(), ["man", "nothing"])).await;
    assert_eq!((none.code, &*none.out), (Some(64), ""));
    assert!(none.err.contains("name one of"), "{}", none.err);
}
