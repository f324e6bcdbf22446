//! What a program's end means for its object, in words.

use std::{fmt::Write as _, io};

use rustix::io::Errno;

use super::*;

fn line(table: &mut String, case: &str, answer: Result<Outcome, ProcessError>) {
    let _ = match answer {
        Ok(outcome) => writeln!(table, "{case}: accepted: {}", outcome.summary),
        Err(error) => writeln!(table, "{case}: {:?}, {:?}: {error}", error.kind(), error.delay()),
    };
}

#[tokio::test]
async fn every_end_of_a_program_has_its_meaning() {
    let mut table = String::new();
    for body in [
        "echo; echo \"$(wc -l < \"$1\") line(s)\"; echo more",
        "exit 0",
        "echo the model is loading >&2; exit 75",
        "exit 75",
        "echo out; echo one >&2; echo two >&2; exit 1",
        "echo out; echo one >&2; echo two >&2; exit 2",
        "echo two >&2; exit 64",
        "echo two >&2; exit 76",
        "echo two >&2; exit 126",
        "echo two >&2; exit 127",
        "exit 127",
        "echo no MODEL_URL >&2; exit 78",
        "echo two >&2; exit 255",
        "exit 1",
        "kill -KILL $$",
        "echo half way >&2; kill -TERM $$",
        "read line || echo the end of stdin",
    ] {
        line(&mut table, body, run(script(body)).await);
    }
    insta::assert_snapshot!(table);
}

#[tokio::test]
async fn a_setup_that_is_wrong_blames_no_object() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("score");
    let written = |content: &str, mode| {
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    };
    let mut table = String::new();
    written("#!/bin/sh\n", 0o755);
    let program = exec(path.to_str().unwrap());
    written("echo no interpreter\n", 0o755);
    line(&mut table, "no #!", run(program.clone()).await);
    written("#!/no/such/interpreter\n", 0o755);
    line(&mut table, "no interpreter", run(program.clone()).await);
    written("#!/bin/sh\r\n", 0o755);
    line(&mut table, "CR LF", run(program.clone()).await);
    written("\u{7f}ELF\0", 0o755);
    line(&mut table, "not for this machine", run(program.clone()).await);
    written("#!/bin/sh\n", 0o644);
    line(&mut table, "not executable", run(program.clone()).await);
    fs::remove_file(&path).unwrap();
    line(&mut table, "gone", run(program).await);
    let (sim, object) = uploaded("in/a", "x");
    let job = job_with(&sim, request(&object), None);
    for body in ["cd \"$OUTPUT_DIR\"; touch a", "cd \"$OUTPUT_DIR\"; touch a b"] {
        line(&mut table, body, script(body).process(&job).await);
    }
    line(&mut table, "line break", run(script("touch \"$OUTPUT_DIR/a\nb\"")).await);
    line(&mut table, "no UTF-8", run(script("touch \"$OUTPUT_DIR/$(printf 'a\\377')\"")).await);
    for errno in [Errno::NOSPC, Errno::ACCESS] {
        let error = || io::Error::from_raw_os_error(errno.raw_os_error());
        line(&mut table, "no directory", Err(work_dir::cannot_create(&error())));
        line(&mut table, "no copy", Err(work_dir::cannot_copy(error().into())));
    }
    for errno in [Errno::AGAIN, Errno::NOENT, Errno::TOOBIG] {
        let error = io::Error::from_raw_os_error(errno.raw_os_error());
        let command = std::process::Command::new("score");
        line(&mut table, "no start", Err(run::cannot_start(&command, error)));
    }
    line(&mut table, "lost", Err(run::lost(&"no child")));
    let stop = CancellationToken::new();
    stop.cancel();
    let command = std::process::Command::new("/score");
    let not_started = run::run(command, stop, Captures::new(""), ()).await;
    line(&mut table, "given up", not_started.map(|_| Outcome::default()));
    let place = directory.path().display().to_string();
    let table = table.replace(&place, "DIRECTORY");
    // The run's own directory has another name in each run.
    let (before, after) = table.split_once("/brigade-").unwrap();
    let after = after.splitn(3, '/').last().unwrap();
    let before = &before[..before.rfind(' ').unwrap()];
    insta::assert_snapshot!(format!("{before} WORK_DIR/{after}"));
}

#[test]
fn a_command_that_is_none_says_why() {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let mut table = String::new();
    let mut line = |given: &str| {
        let error = given.parse::<Program>().unwrap_err().to_string();
        let _ = writeln!(table, "{error}");
    };
    for given in ["", "cat 'x", "{} -v", "no-such-program-here {}", "./no-such-file", manifest] {
        line(given);
    }
    for given in [
        "cat {} | wc -l",
        "cat {} > 'an out'",
        "cd /tmp; cat {}",
        "MODEL='a b' cat {}",
        "~/score {}",
        "sh no-such-script.sh {}",
        "python3 -u ./no-such-script.py",
    ] {
        line(given);
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("score");
    for content in [
        "#!/bin/sh\r\n",
        "#!/usr/bin/env python3\r\n",
        "#!/no/such/interpreter -e\n",
        "#!/usr/bin/env -S no-such-interpreter -u\n",
        "#!",
        "echo no interpreter\n",
        "",
    ] {
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        line(path.to_str().unwrap());
    }
    let table = table.replace(env!("CARGO_MANIFEST_DIR"), "DIRECTORY");
    insta::assert_snapshot!(table.replace(directory.path().to_str().unwrap(), "DIRECTORY"));
}
