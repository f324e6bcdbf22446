//! `brigade dev`, with `--once` and without.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::TcpStream,
    path::Path,
    process::Stdio,
};

use axum::{Router, http::StatusCode, routing::post};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::spawn_blocking};

use super::command::{Running, brigade, run};

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn once_settles_the_samples_and_a_second_run_moves_nothing() {
    let directory = TempDir::new().unwrap();
    let ended = run(brigade(directory.path(), ["dev", "--once"]));
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    for part in [
        "20 found, 18 processed, 2 failed",
        "failed incoming/subject-398.csv: line 6, column day",
        "failed incoming/subject-399.csv: line 4, column reaction_ms",
    ] {
        assert!(ended.err.contains(part), "{}", ended.err);
    }
    let json = ended.out.lines().all(|line| line.starts_with('{'));
    assert!(json, "stdout has JSON alone: {}", ended.out);

    let data = directory.path().join("brigade-data");
    assert_eq!(names(&data.join("incoming")), [""; 0]);
    let failed = ["subject-398.csv", "subject-399.csv"];
    assert_eq!(names(&data.join("failed")), failed);
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/sleepstudy");
    let processed = names(&data.join("processed"));
    assert_eq!(processed.len(), 18);
    for name in &processed {
        let original = fs::read(samples.join(name)).unwrap();
        let moved = fs::read(data.join("processed").join(name)).unwrap();
        assert_eq!(moved, original, "{name}");
    }
    means_are_the_published_ones(&data.join("features"));

    let again = run(brigade(directory.path(), ["dev", "--once"]));
    assert_eq!(again.err, "0 found, 0 processed, 0 failed\n");
    assert_eq!(names(&data.join("processed")), processed);
}

#[test]
fn once_settles_each_sample_exactly_once_on_a_day_when_storage_and_tokens_fail() {
    const FAULTS: &str = "list=503:10%,get=503:10%,read=503:10%,read=cut:5%,write=lost:10%,write=503:10%,update=lost:10%,\
                          move=lost:20%,move=reset:10%,move=slow=50ms:20%,delete=lost:10%,token=503:20%";
    // That of docs/WORKER.md.
    const DOCUMENTED: &str = "read=503:5%,move=lost:1%,token=503:once";
    for (faults, seed) in [(FAULTS, "1"), (FAULTS, "2"), (FAULTS, "3"), (DOCUMENTED, "7")] {
        let directory = TempDir::new().unwrap();
        let words = ["dev", "--once", "--fault", faults, "--seed", seed];
        let ended = run(brigade(directory.path(), words));
        let met = ended.err.lines().find(|line| line.starts_with("calls that met a fault: "));
        let met = met.unwrap_or_else(|| panic!("{}", ended.err));
        if faults == FAULTS {
            assert!(met.contains("move=lost:20% ") && !met.contains("move=lost:20% 0"), "{met}");
        } else {
            assert!(met.contains("token=503:once 1"), "{met}");
        }
        let data = directory.path().join("brigade-data");
        assert_eq!(names(&data.join("incoming")), [""; 0], "seed {seed}: {}", ended.err);
        assert_eq!(names(&data.join("failed")), ["subject-398.csv", "subject-399.csv"]);
        assert_eq!(names(&data.join("processed")).len(), 18, "seed {seed}: {}", ended.err);
        means_are_the_published_ones(&data.join("features"));
    }
}

/// Nothing listens at the proxy. In the environment of one run it is named as curl names it, in that of the other in capitals.
#[test]
fn nothing_on_this_machine_goes_through_a_proxy() {
    for names in
        [["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"], ["http_proxy", "https_proxy", "all_proxy"]]
    {
        let directory = TempDir::new().unwrap();
        let mut command = brigade(directory.path(), ["dev", "--once"]);
        command.envs(names.map(|name| (name, "http://127.0.0.1:9")));
        let ended = run(command);
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        assert!(ended.err.contains("20 found, 18 processed, 2 failed"), "{}", ended.err);
    }
}

/// Both streams of a whole run that logs at this level.
fn logged(directory: &Path, level: &str) -> (String, String) {
    let mut command = brigade(directory, ["dev", "--once"]);
    command.env("RUST_LOG", level);
    let ended = run(command);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    (ended.out, ended.err)
}

/// All that is logged of a whole run, by us and by every library: of calls and headers, tokens fetched, checked and sent.
#[test]
fn not_a_line_of_a_whole_run_at_trace_holds_a_token_or_a_key() {
    let directory = TempDir::new().unwrap();
    let (stdout, stderr) = logged(directory.path(), "trace");
    let libraries = "h2::frame::headers hyper_util tower brigade_poller";
    for library in libraries.split(' ') {
        assert!(stderr.contains(library), "{library} logged nothing");
    }
    for line in stdout.lines().chain(stderr.lines()) {
        // How every JWT begins, and every PEM of a key.
        let secret = ["eyJ", "PRIVATE KEY"].iter().find(|it| line.contains(**it));
        assert_eq!(secret, None, "{line}");
    }
}

/// The poller calls the worker, whose work is a task of its own; a person calls the poller.
#[test]
fn every_line_of_the_worker_about_a_file_names_the_poller_as_its_caller() {
    let directory = TempDir::new().unwrap();
    let (_, stderr) = logged(directory.path(), "info");
    let lines =
        stderr.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut messages = Vec::new();
    for line in lines {
        let caller = match line["message"].as_str() {
            Some("processed" | "not processed") => "poller@",
            Some("poll started" | "object settled") => "developer@",
            _ => continue,
        };
        let call = format!("call{{caller=\"{caller}");
        let spans = line["spans"].as_array().into_iter().flatten();
        let mut spans = spans.filter_map(serde_json::Value::as_str);
        assert!(spans.any(|span| span.starts_with(&call)), "{line}");
        messages.push(line["message"].as_str().unwrap().to_owned());
    }
    let count = |message| messages.iter().filter(|one| *one == message).count();
    assert_eq!((count("processed"), count("not processed")), (18, 2));
    assert_eq!(count("object settled"), 20);
    assert!(count("poll started") > 0);
}

#[allow(clippy::cast_precision_loss, reason = "18 files")]
fn means_are_the_published_ones(features: &Path) {
    let parsed: Vec<serde_json::Value> = names(features)
        .iter()
        .map(|name| serde_json::from_slice(&fs::read(features.join(name)).unwrap()).unwrap())
        .collect();
    assert_eq!(parsed.len(), 18);
    let mean =
        |field: &str| parsed.iter().map(|one| one[field].as_f64().unwrap()).sum::<f64>() / 18.0;
    assert_eq!(format!("{:.3}", mean("slope_ms_per_day")), "10.467");
    assert_eq!(format!("{:.3}", mean("intercept_ms")), "251.405");
}

#[test]
fn files_of_ones_own_are_settled_by_a_programs_exit_code() {
    let directory = TempDir::new().unwrap();
    let incoming = directory.path().join("scratch/incoming");
    fs::create_dir_all(incoming.join("deep")).unwrap();
    fs::write(incoming.join("good.txt"), "it is ok").unwrap();
    fs::write(incoming.join("deep/bad.txt"), "it is not").unwrap();
    let arguments = "dev --once --data scratch --no-samples --exec".split(' ');
    let mut command = brigade(directory.path(), arguments);
    command.arg("grep -q ok {}");
    let ended = run(command);
    let counts = "2 found, 1 processed, 1 failed";
    assert!(ended.err.contains(counts), "{}", ended.err);
    for name in ["processed/good.txt", "failed/deep/bad.txt"] {
        let path = directory.path().join("scratch").join(name);
        assert!(path.exists(), "{name}");
    }
}

#[test]
fn files_that_a_glob_excludes_and_empty_ones_stay() {
    let directory = TempDir::new().unwrap();
    let incoming = directory.path().join("scratch/incoming");
    fs::create_dir_all(&incoming).unwrap();
    for (name, content) in [("ä.csv", "1"), ("ab.csv", "1"), ("ö.csv", ""), ("é.tmp", "1")] {
        fs::write(incoming.join(name), content).unwrap();
    }
    let run_with = |flags: &str| {
        let arguments = "dev --once --data scratch --no-samples".split(' ');
        run(brigade(directory.path(), arguments.chain(flags.split(' '))))
    };
    let ended = run_with("--match ?.* --exclude *.tmp --skip-empty --exec true");
    assert!(ended.err.contains("1 found, 1 processed, 0 failed"), "{}", ended.err);
    assert_eq!(names(&incoming), ["ab.csv", "é.tmp", "ö.csv"]);

    let again = run_with("--match ?.* --exclude *.tmp --skip-empty --exec true");
    let said = "1 not matched by BRIGADE_MATCH=?.*; 1 excluded by BRIGADE_EXCLUDE=*.tmp; 1 empty";
    assert!(again.err.contains(said), "{}", again.err);

    for wrong in ["incoming/*.csv", "gs://brigade-dev/incoming/*.csv", "!*.csv"] {
        assert_eq!(run_with(&format!("--match {wrong}")).code, Some(64), "{wrong}");
    }
}

#[test]
fn a_program_that_starts_it_on_free_ports_is_told_them_and_has_the_inbox_to_itself() {
    let directory = TempDir::new().unwrap();
    let child = brigade(directory.path(), ["dev", "--no-schedule", "--port", "0"])
        .stdout(Stdio::piped())
        .spawn();
    let mut running = Running(child.unwrap());
    let mut line = String::new();
    BufReader::new(running.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let first: serde_json::Value = serde_json::from_str(&line).unwrap();
    for part in ["poller", "worker", "emulator"] {
        let url = first["serving"][part].as_str().unwrap();
        TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    }
    drop(running);
    // With a scheduler, the first poll comes at once.
    let data = directory.path().join("brigade-data");
    assert_eq!(names(&data.join("incoming")).len(), 20);
}

#[test]
fn a_file_that_is_dropped_while_it_runs_is_pushed_at_once() {
    let directory = TempDir::new().unwrap();
    // No poll comes after the one at the start, and that one leaves new files alone: only a push settles the file.
    let arguments = "dev --push --no-samples --interval 1h --port 0 --exec true";
    let child = brigade(directory.path(), arguments.split(' '))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut running = Running(child.unwrap());
    let inbox = directory.path().join("brigade-data/incoming");
    while !inbox.exists() {
        assert!(running.0.try_wait().unwrap().is_none(), "it ended");
        std::thread::yield_now();
    }
    fs::write(inbox.join("dropped.csv"), "x").unwrap();
    // The first line says where everything is served.
    let output = BufReader::new(running.0.stdout.take().unwrap());
    let line = output.lines().nth(1).unwrap().unwrap();
    drop(running);
    assert!(line.contains("SETTLEMENT_PROCESSED"), "{line}");
    let processed = names(&directory.path().join("brigade-data/processed"));
    assert_eq!(processed, ["dropped.csv"]);
}

/// The bucket's directory, with these files in its inbox.
fn inbox(directory: &Path, files: &[&str]) {
    let incoming = directory.join("brigade-data/incoming");
    fs::create_dir_all(&incoming).unwrap();
    for file in files {
        fs::write(incoming.join(file), file).unwrap();
    }
}

/// `brigade dev` whose program never ends, once its poll has the lease.
fn holding(directory: &Path) -> Running {
    inbox(directory, &["a.txt"]);
    // The first poll finds the file.
    let arguments =
        "dev --no-samples --port 0 --rest 0 --exec".split(' ').chain(["sh -c 'sleep 60'"]);
    let child = brigade(directory, arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut running = Running(child.unwrap());
    let lease = directory.join("brigade-data/.brigade/incoming/lease");
    while !lease.exists() {
        assert!(running.0.try_wait().unwrap().is_none(), "it ended");
        std::thread::yield_now();
    }
    running
}

#[test]
fn once_takes_over_at_once_from_a_dev_that_was_killed() {
    let directory = TempDir::new().unwrap();
    // To drop it is to kill it.
    drop(holding(directory.path()));
    let ended = run(brigade(directory.path(), ["dev", "--once", "--no-samples", "--exec", "true"]));
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), "1 found, 1 processed, 0 failed\n"));
    assert_eq!(names(&directory.path().join("brigade-data/processed")), ["a.txt"]);
}

#[test]
fn once_says_which_poll_holds_the_inbox_and_waits_for_it() {
    let directory = TempDir::new().unwrap();
    let other = holding(directory.path());
    let child = brigade(directory.path(), ["dev", "--once", "--no-samples", "--exec", "true"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut once = child.unwrap();
    let mut lines = BufReader::new(once.stderr.take().unwrap()).lines();
    let line = lines.next().unwrap().unwrap();
    assert!(line.starts_with("waiting    poll ") && line.contains("brigade dev"), "{line}");
    drop(other);
    assert_eq!(lines.next().unwrap().unwrap(), "1 found, 1 processed, 0 failed");
    assert_eq!(once.wait().unwrap().code(), Some(0));
}

#[test]
fn once_ends_with_1_when_all_files_failed_or_any_did_and_that_is_asked_for() {
    for (files, flags, code) in [
        (&[][..], &[][..], 0),
        (&["good"], &[], 0),
        (&["bad"], &[], 1),
        (&["good", "bad"], &[], 0),
        (&["good", "bad"], &["--fail-on-failed"], 1),
        (&["good"], &["--fail-on-failed"], 0),
    ] {
        let directory = TempDir::new().unwrap();
        inbox(directory.path(), files);
        let mut command = brigade(directory.path(), ["dev", "--once", "--no-samples"]);
        command.args(["--exec", "grep -q good {}"]).args(flags);
        let ended = run(command);
        assert_eq!(ended.code, Some(code), "{files:?} {flags:?} {}", ended.err);
    }
}

#[test]
fn a_terminal_that_is_closed_ends_it_like_sigterm() {
    let directory = TempDir::new().unwrap();
    let mut running = holding(directory.path());
    let pid = running.0.id().to_string();
    let sent = std::process::Command::new("kill").args(["-HUP", &pid]).status().unwrap();
    assert!(sent.success());
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
    let lease = directory.path().join("brigade-data/.brigade/incoming/lease");
    assert!(!lease.exists(), "the lease was not given back");
}

#[test]
fn files_that_are_dropped_while_a_slow_one_is_at_work_are_done_before_it() {
    let directory = TempDir::new().unwrap();
    inbox(directory.path(), &["slow.txt"]);
    let go = directory.path().join("go");
    let program = "sh -c 'case $0 in *slow*) until [ -e \"$GO\" ]; do sleep 0.1; done;; esac'";
    let child =
        brigade(directory.path(), ["dev", "--no-samples", "--port", "0", "--exec", program])
            .env("GO", &go)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
    let mut running = Running(child.unwrap());
    let data = directory.path().join("brigade-data");
    let lease = data.join(".brigade/incoming/lease");
    let mut wait_for = |path: &Path| {
        while !path.exists() {
            assert!(running.0.try_wait().unwrap().is_none(), "it ended");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    };
    wait_for(&lease);
    for n in 0..4 {
        let name = format!("{n}.txt");
        fs::write(data.join("incoming").join(&name), "x").unwrap();
        wait_for(&data.join("processed").join(&name));
    }
    assert!(data.join("incoming/slow.txt").exists(), "the slow file was not at work meanwhile");
    fs::write(&go, "").unwrap();
    wait_for(&data.join("processed/slow.txt"));
}

#[test]
fn once_names_files_that_wait_for_their_next_try_and_ends_with_1() {
    let directory = TempDir::new().unwrap();
    inbox(directory.path(), &["later.txt"]);
    // EX_TEMPFAIL: the file is tried again after 10 s.
    for _ in 0..2 {
        let arguments = ["dev", "--once", "--no-samples", "--exec", "sh -c 'exit 75'"];
        let ended = run(brigade(directory.path(), arguments));
        assert_eq!(ended.code, Some(1), "{}", ended.err);
        assert!(ended.err.contains("1 left in the inbox"), "{}", ended.err);
        assert!(ended.err.contains("retry incoming/later.txt: "), "{}", ended.err);
    }
}

#[test]
fn verbose_shows_what_the_program_writes_with_the_name_of_its_file() {
    let directory = TempDir::new().unwrap();
    inbox(directory.path(), &["a.txt"]);
    let program = "sh -c 'echo loading >&2; echo 12 rows' sh";
    let shown = |flags: &[&str]| {
        let mut command = brigade(directory.path(), ["dev", "--once", "--no-samples"]);
        command.args(["--exec", program]).args(flags);
        run(command).err
    };
    let verbose = shown(&["-v"]);
    for (stream, line) in [("stderr", "loading"), ("stdout", "12 rows")] {
        let row = verbose.lines().find(|row| row.ends_with(line)).unwrap();
        assert!(row.trim_start().starts_with(&format!("{stream} ")), "{verbose}");
        assert!(row.contains(" incoming/a.txt "), "{verbose}");
    }
    inbox(directory.path(), &["b.txt"]);
    let quiet = shown(&[]);
    assert!(!quiet.contains("loading"), "{quiet}");
}

#[test]
fn a_variable_of_the_services_holds_in_dev_too() {
    let directory = TempDir::new().unwrap();
    inbox(directory.path(), &["large.txt", "x"]);
    let arguments = ["dev", "--once", "--no-samples", "--timeout", "1h"];
    let mut command = brigade(directory.path(), arguments);
    // One at a time: each takes the directory, and gives it back.
    let program = "sh -c 'mkdir \"$0\" && sleep 0.2 && rmdir \"$0\"' taken";
    let variables = [
        ("BRIGADE_EXEC", program),
        ("BRIGADE_CONCURRENCY", "1"),
        ("BRIGADE_MAX_SIZE", "5B"),
        ("BRIGADE_AUTH", " "),
    ];
    inbox(directory.path(), &["y", "z"]);
    let ended = run({
        command.envs(variables);
        command
    });
    assert!(ended.err.contains("4 found, 3 processed, 1 failed"), "{}", ended.err);
    assert!(ended.err.contains("BRIGADE_MAX_SIZE"), "{}", ended.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_answers_200_or_500_over_http_is_a_worker_elsewhere() {
    let directory = TempDir::new().unwrap();
    inbox(directory.path(), &["bad.txt", "good.txt"]);
    let answer = async |body: String| {
        if body.contains("good") {
            (StatusCode::OK, "12 rows")
        } else {
            (StatusCode::INTERNAL_SERVER_ERROR, "column day is missing")
        }
    };
    let worker = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", worker.local_addr().unwrap());
    let router = Router::new().fallback(post(answer));
    tokio::spawn(async { axum::serve(worker, router).await });
    let arguments = ["dev", "--once", "--no-samples", "--worker-protocol", "http", "--worker"];
    let mut command = brigade(directory.path(), arguments);
    command.arg(url);
    let ended = spawn_blocking(|| run(command)).await.unwrap();
    assert!(ended.err.contains("2 found, 1 processed, 1 failed"), "{}", ended.err);
    assert!(ended.err.contains("column day is missing"), "{}", ended.err);
    assert_eq!(names(&directory.path().join("brigade-data/processed")), ["good.txt"]);
}
