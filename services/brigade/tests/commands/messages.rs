//! What the command says on its own: its help, and how each mistake of a caller ends.

use std::{fmt::Write as _, fs, net::TcpListener};

use tempfile::TempDir;

use super::command::{brigade, normalised, run};

#[test]
fn help_of_every_subcommand() {
    let directory = TempDir::new().unwrap();
    let mut all = String::new();
    for subcommand in ["", "dev", "poller", "worker", "emulator", "doctor", "token", "poll"] {
        let words = [subcommand, "--help"];
        let words = words.iter().filter(|word| !word.is_empty());
        let ended = run(brigade(directory.path(), words));
        assert_eq!(ended.code, Some(0));
        writeln!(all, "{}", ended.out).unwrap();
    }
    insta::assert_snapshot!(all);
}

/// Variables, and the command line.
type Mistake<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);

#[test]
fn outcomes_of_mistakes() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("file"), "").unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().port().to_string();
    let typo = [("BRIGADE_CONCURENCY", "3")];
    let cases: &[Mistake<'_>] = &[
        (&[], &["--twice"]),
        (&[], &["dev", "--twice"]),
        (&[], &["dev", "--once", "--push"]),
        (&[], &["dev", "--interval", "0"]),
        (&[], &["dev", "--timeout", "soon"]),
        (&[], &["dev", "--worker", "worker:80"]),
        (&[], &["dev", "--once", "--exec", "no-such-program {}"]),
        (&[], &["dev", "--once", "--data", "file"]),
        (&[], &["dev", "--once", "--port", &taken]),
        (&[], &["dev", "--port", "65535"]),
        (&[], &["dev", "--worker", "http://127.0.0.1:9", "--max-size", "1GB", "--exec", "true"]),
        (&[], &["dev", "--worker", "http://127.0.0.1:9/x?y"]),
        (&[], &["dev", "--processes", "2", "--max-memory", "1GiB", "--exec", "true"]),
        (&[], &["dev", "--persistent", "--concurrency", "0", "--match", "incoming/*"]),
        (
            &[("BRIGADE_INBOX", "gs://a/b/"), ("BRIGADE_AUTH", " "), ("BRIGADE_EXEC", "no-such")],
            &["dev", "--once"],
        ),
        (&typo, &["dev", "--once"]),
        (&typo, &["token", "--audience", "https://a.example"]),
        (&[], &["poller"]),
        (&[], &["worker"]),
        (&[], &["worker", "--auth", "off"]),
        (
            &[
                ("BRIGADE_INBOX", "gs://data/incoming/"),
                ("WORKER_URL", "https://worker.example"),
                ("BRIGADE_AUDIENCE", "https://poller.example"),
                ("BRIGADE_ALLOWED_CALLERS", "x@y.example"),
                ("BRIGADE_DISPATCH", "tasks"),
                ("BRIGADE_TASKS_QUEUE", "projects/p/locations/l/queues/q"),
                ("BRIGADE_TASKS_ACCOUNT", "tasks@p.example"),
            ],
            &["poller"],
        ),
        (&[], &["emulator"]),
        (&[], &["emulator", "--memory", "--role", "poller"]),
        (&[], &["emulator", "--memory", "--role", "poller=all"]),
        (&[], &["emulator", "--memory", "--front-end", "worker"]),
        (&[], &["emulator", "--memory", "--front-end", "worker=x"]),
        (&[], &["emulator", "--memory", "--front-end", "worker=9,http2"]),
        (&[], &["emulator", "--memory", "--front-end", "worker=9,push=x"]),
        (&[], &["doctor"]),
        (&[], &["token"]),
        (&[], &["poll"]),
        (&[], &["poll", "--max-objects", "0"]),
        (&[], &["poll", "--watch", "--dry-run"]),
        (&[("BRIGADE_POLLER", "worker:80")], &["poll"]),
        (&[], &["poll", "--poller", "http://127.0.0.1:9"]),
        (&[], &["token", "--audience", ""]),
    ];
    let mut table = String::new();
    for (environment, arguments) in cases {
        let mut command = brigade(directory.path(), *arguments);
        command.envs(environment.iter().copied());
        let ended = run(command);
        assert!(ended.err.is_empty() || ended.out.is_empty(), "{ended:?}");
        let (line, code) = (arguments.join(" "), ended.code.unwrap());
        let said = format!("brigade {line}\nexit {code}\n{}{}\n", ended.out, ended.err);
        let said = normalised(&said, directory.path()).replace(&taken, "PORT");
        writeln!(table, "{said}").unwrap();
    }
    insta::assert_snapshot!(table);
}
