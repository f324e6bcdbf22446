//! `brigade dev` on a terminal.

use std::{fs, path::Path};

use tempfile::TempDir;

use crate::{
    pty::Pty,
    system::{Ended, brigade},
    watch::drop_file,
};

/// The reason of a failed file in 60 columns.
const WRAPPED_AT_60: &str =
    "\n             a reason that is longer than half of a line, so\n             that it wraps";

/// Its program makes a file `go.PID`, and waits for the file `go`.
fn dev(home: &Path, columns: u16, flags: &[&str]) -> Pty {
    let mut command = brigade(home, ["dev", "--port", "0", "--no-samples", "--rest", "0s"]);
    command
        .args([
            "--exec",
            "sh -c ': > $GO.$$; until [ -e \"$GO\" ]; do sleep 0.1; done; echo $WHY >&2; exit $CODE'",
        ])
        .args(flags)
        .envs([("TERM", "xterm"), ("NO_COLOR", "1"), ("CODE", "0"), ("WHY", "")])
        .env("GO", home.join("go"));
    if flags.contains(&"--once") {
        command.envs([
            ("CODE", "1"),
            ("WHY", "a reason that is longer than half of a line, so that it wraps"),
        ]);
    }
    Pty::start(command, columns, 24)
}

/// Waits until the program runs for so many files. A signal before that would end their calls first.
fn started(home: &Path, files: usize) {
    let is_started = |name: &str| name.starts_with("go.");
    let names = || fs::read_dir(home).unwrap().map(|file| file.unwrap().file_name());
    while names().filter(|name| is_started(name.to_str().unwrap())).count() < files {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// What stays on the terminal: the line was cleared before.
fn last_painting(ended: &Ended) -> &str {
    ended.out.rsplit_once("\r\x1b[J").unwrap().1
}

#[test]
fn the_last_line_says_what_is_in_flight_and_ctrl_c_what_it_waits_for() {
    let home = TempDir::new().unwrap();
    drop_file(home.path(), "a.csv");
    drop_file(home.path(), "b.csv");
    let terminal = dev(home.path(), 100, &[]);
    terminal.read_until("0/2 · 2 in flight, longest a.csv ");
    started(home.path(), 2);
    terminal.interrupt();
    terminal.read_until("waits for 2 in flight: incoming/a.csv ");
    terminal.read_until("Ctrl-C again ends at once");
    terminal.read_until("ending, Ctrl-C ends now · 0/2 · 2 in flight");
    fs::write(home.path().join("go"), "").unwrap();
    let ended = terminal.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let last = last_painting(&ended);
    // The line may be painted below the summary once more before it is removed.
    assert!(ended.out.contains("\n2 found, 2 processed, 0 failed\n"), "{ended:?}");
    assert!(!last.contains("\x1b["), "{ended:?}");
}

#[test]
fn a_second_ctrl_c_ends_at_once_and_leaves_no_line() {
    let home = TempDir::new().unwrap();
    drop_file(home.path(), "a.csv");
    let terminal = dev(home.path(), 100, &[]);
    terminal.read_until("1 in flight, a.csv ");
    started(home.path(), 1);
    terminal.interrupt();
    terminal.read_until("Ctrl-C again ends at once");
    terminal.interrupt();
    let ended = terminal.end();
    assert_eq!(ended.code, Some(130), "{ended:?}");
    assert_eq!(last_painting(&ended), "", "{ended:?}");
}

#[test]
fn a_long_reason_wraps_under_the_name_at_the_width_of_the_terminal() {
    let home = TempDir::new().unwrap();
    drop_file(home.path(), "a.csv");
    fs::write(home.path().join("go"), "").unwrap();
    let ended = dev(home.path(), 60, &["--once"]).end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.out.contains(WRAPPED_AT_60), "{ended:?}");
    let summary = "  failed incoming/a.csv: a reason that is longer than half\n    of a line, so that it wraps";
    assert!(ended.out.contains(summary), "{ended:?}");
}

#[test]
fn a_terminal_that_becomes_narrower_has_its_new_width_from_the_next_line_on() {
    let home = TempDir::new().unwrap();
    drop_file(home.path(), "a.csv");
    let terminal = dev(home.path(), 120, &["--once"]);
    terminal.read_until("1 in flight, a.csv ");
    started(home.path(), 1);
    terminal.resize(60, 10);
    fs::write(home.path().join("go"), "").unwrap();
    let ended = terminal.end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.out.contains(WRAPPED_AT_60), "{ended:?}");
}
