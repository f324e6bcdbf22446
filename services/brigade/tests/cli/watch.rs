//! `brigade watch`, beside a `brigade dev` that it finds by itself.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::{
    pty::Pty,
    system::{brigade, run},
};

/// A process that ends with its test.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A `brigade dev` that refuses every file named bad.
fn dev(home: &Path) -> Running {
    let arguments =
        ["dev", "--port", "0", "--no-samples", "--rest", "0s", "--interval", "1s", "--json"];
    let mut command = brigade(home, arguments);
    command.args([
        "--exec",
        "sh -c 'case $OBJECT_NAME in *bad*) echo no good >&2; exit 1;; esac' sh {}",
    ]);
    serve_dev(home, command)
}

/// A `brigade dev`, once it can be found.
pub(crate) fn serve_dev(home: &Path, mut command: Command) -> Running {
    let before = announced(home);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let errors = BufReader::new(child.stderr.take().unwrap());
    std::thread::spawn(move || errors.lines().map_while(Result::ok).for_each(drop));
    let running = Running(child);
    // It is announced when it serves.
    while announced(home) == before {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    running
}

fn announced(home: &Path) -> usize {
    let directories = fs::read_dir(home).unwrap().flatten();
    let files = directories.filter_map(|entry| fs::read_dir(entry.path()).ok()).flatten();
    files
        .filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|it| it == "json"))
        .count()
}

/// Puts a file into the inbox.
pub(crate) fn drop_file(home: &Path, name: &str) {
    let inbox = home.join("brigade-data/incoming");
    fs::create_dir_all(&inbox).unwrap();
    fs::write(inbox.join(name), "x").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_terminal_the_table_lives_on_another_screen_that_is_left_at_the_end() {
    let home = TempDir::new().unwrap();
    let (_dev, path) = (dev(home.path()), home.path().to_owned());
    let ended = tokio::task::spawn_blocking(move || {
        let terminal = Pty::start(brigade(&path, ["watch"]), 100, 20);
        terminal.read_until("IN FLIGHT");
        drop_file(&path, "bad.csv");
        drop_file(&path, "fine.csv");
        terminal.read_until("incoming/fine.csv");
        terminal.read_until("incoming/bad.csv");
        terminal.read_until("1 processed · 1 failed");
        terminal.interrupt();
        terminal.end()
    });
    let ended = ended.await.unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.out);
    let (before, shown) = ended.out.split_once("\u{1b}[?1049h\u{1b}[?25l").unwrap();
    assert_eq!(before, "");
    let (_, after) = shown.split_once("\u{1b}[?25h\u{1b}[?1049l").unwrap();
    let parts = ["watched brigade dev over ", ": 1 processed · 1 failed · 0 left for later\n"];
    assert!(after.starts_with(parts[0]) && after.ends_with(parts[1]), "{after:?}");
}

/// Whether the last whole painting of the table fits into so many columns and rows, and has a line that fills it.
fn fills(output: &str, columns: usize, rows: usize) -> bool {
    let Some((before, _)) = output.rsplit_once("\x1b[J") else { return false };
    let Some((_, painted)) = before.rsplit_once("\x1b[H") else { return false };
    let lines = painted.split('\n').map(|line| line.trim_end_matches('\r').replace("\x1b[K", ""));
    let widths: Vec<_> = lines.map(|line| line.chars().count()).collect();
    widths.iter().max() == Some(&columns) && widths.len() <= rows
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_has_the_size_of_the_terminal_whenever_that_changes() {
    let home = TempDir::new().unwrap();
    let (_dev, path) = (dev(home.path()), home.path().to_owned());
    let ended = tokio::task::spawn_blocking(move || {
        let mut command = brigade(&path, ["watch"]);
        command.env("NO_COLOR", "1");
        let terminal = Pty::start(command, 100, 20);
        terminal.read_until("IN FLIGHT");
        for n in 0..9 {
            drop_file(&path, &format!("{n}{}", "x".repeat(200)));
        }
        terminal.read_until("9 processed");
        for (columns, rows) in [(100, 20), (40, 10), (20, 5), (10, 1), (120, 30)] {
            terminal.resize(columns, rows);
            let (columns, rows) = (usize::from(columns), usize::from(rows));
            terminal.wait("table of the new size", |output| fills(output, columns, rows));
        }
        terminal.interrupt();
        terminal.end()
    });
    assert_eq!(ended.await.unwrap().code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn piped_each_event_is_a_line_of_json_and_the_other_commands_find_the_same_poller() {
    let home = TempDir::new().unwrap();
    let _dev = dev(home.path());
    let mut command = brigade(home.path(), ["watch"]);
    let mut watching = Running(command.stdout(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(watching.0.stdout.take().unwrap()).lines();
    let mut next =
        || -> serde_json::Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    assert!(next()["snapshot"].is_object());
    drop_file(home.path(), "bad.csv");
    let settled = loop {
        let event = next();
        if event["poll"]["settled"].is_object() {
            break event;
        }
    };
    assert_eq!(settled["poll"]["settled"]["object"]["name"], "incoming/bad.csv");

    let failed = run(brigade(home.path(), ["failed"])).await;
    assert!(failed.out.starts_with("bad.csv\t") && failed.out.contains("no good"), "{failed:?}");
    let replayed = run(brigade(home.path(), ["replay", "bad.csv", "--yes"])).await;
    assert_eq!(replayed.out, "1 object moved back into the inbox\n", "{replayed:?}");
    // It fails again.
    let again = loop {
        let event = next();
        if event["poll"]["settled"].is_object() {
            break event;
        }
    };
    assert_eq!(again["poll"]["settled"]["settlement"], "SETTLEMENT_FAILED");
}
