//! `brigade dev` over files that other programs are writing.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread::sleep,
    time::Duration,
};

use tempfile::TempDir;

use super::command::{Running, brigade, run};

const MEGABYTE: usize = 1_000_000;

/// `brigade dev` whose program gives back each file's size, polling each second.
struct Dev {
    settled: Receiver<serde_json::Value>,
    data: PathBuf,
    _running: Running,
}

impl Dev {
    fn start(directory: &Path, rest: &str) -> Self {
        let words = "dev --no-samples --interval 1s --port 0 --rest".split(' ');
        let child = brigade(directory, words.chain([rest, "--exec", "sh -c 'wc -c <{}'"]))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = child.unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // The first line says where everything is served.
        lines.next().unwrap().unwrap();
        let (sender, settled) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let line: serde_json::Value = serde_json::from_str(&line).unwrap();
                let _ = sender.send(line["settled"].clone());
            }
        });
        let data = directory.join("brigade-data");
        Self { settled, data, _running: Running(child) }
    }

    fn inbox(&self, name: &str) -> PathBuf {
        self.data.join("incoming").join(name)
    }

    /// The name of the next file that is settled, and the size that the program saw.
    fn next(&self) -> (String, usize) {
        let settled = self.settled.recv_timeout(Duration::from_mins(1)).unwrap();
        assert_eq!(settled["settlement"], "SETTLEMENT_PROCESSED", "{settled}");
        let name = settled["object"]["name"].as_str().unwrap().to_owned();
        (name, settled["summary"].as_str().unwrap().trim().parse().unwrap())
    }

    /// All that has settled when a file that comes last has.
    fn all(&self) -> Vec<(String, usize)> {
        let beside = self.data.join("last");
        fs::write(&beside, "last").unwrap();
        fs::rename(beside, self.inbox("last")).unwrap();
        let until_last = std::iter::from_fn(|| Some(self.next()));
        until_last.take_while(|(name, _)| name != "incoming/last").collect()
    }
}

#[test]
fn a_file_that_is_written_for_8_seconds_is_one_file_of_all_its_bytes() {
    let directory = TempDir::new().unwrap();
    let dev = Dev::start(directory.path(), "1s");
    let mut file = File::create(dev.inbox("slow.bin")).unwrap();
    for _ in 0..8 {
        file.write_all(&vec![7; MEGABYTE]).unwrap();
        sleep(Duration::from_secs(1));
    }
    drop(file);
    assert_eq!(dev.next(), ("incoming/slow.bin".to_owned(), 8 * MEGABYTE));
    assert_eq!(dev.all(), []);
    let processed = fs::metadata(dev.data.join("processed/slow.bin")).unwrap();
    assert_eq!(processed.len(), 8_000_000);
}

#[test]
fn a_file_that_is_opened_again_and_again_is_one_file() {
    let directory = TempDir::new().unwrap();
    let dev = Dev::start(directory.path(), "1s");
    for _ in 0..20 {
        let mut file = File::options().create(true).append(true).open(dev.inbox("log")).unwrap();
        file.write_all(b"line\n").unwrap();
        drop(file);
        sleep(Duration::from_millis(150));
    }
    assert_eq!(dev.next(), ("incoming/log".to_owned(), 100));
    assert_eq!(dev.all(), []);
}

#[test]
fn a_large_file_that_is_copied_into_the_inbox_is_one_file() {
    let directory = TempDir::new().unwrap();
    let dev = Dev::start(directory.path(), "1s");
    let source = directory.path().join("source");
    fs::write(&source, vec![7; 64 * MEGABYTE]).unwrap();
    for flag in ["-f", "-p"] {
        let mut copy = Command::new("cp");
        copy.arg(flag).arg(&source).arg(dev.inbox(flag));
        assert!(copy.status().unwrap().success());
        assert_eq!(dev.next(), (format!("incoming/{flag}"), 64 * MEGABYTE));
    }
    assert_eq!(dev.all(), []);
}

#[test]
fn a_file_that_is_moved_into_the_inbox_need_not_rest() {
    let directory = TempDir::new().unwrap();
    let dev = Dev::start(directory.path(), "10m");
    fs::write(dev.inbox("dropped"), "x").unwrap();
    assert_eq!(dev.all(), []);
    assert!(dev.inbox("dropped").exists());
}

#[test]
fn once_names_a_file_that_does_not_stop_growing_and_ends_with_1() {
    let directory = TempDir::new().unwrap();
    let incoming = directory.path().join("brigade-data/incoming");
    fs::create_dir_all(&incoming).unwrap();
    fs::write(incoming.join("complete"), "x").unwrap();
    let _open = File::create(incoming.join("growing")).unwrap();
    let ended = run(brigade(directory.path(), ["dev", "--once", "--exec", "true"]));
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    let why = "still being written; a program has it open or has just changed it";
    let line = format!("writing incoming/growing: {why}\n");
    let counts = "1 found, 1 processed, 0 failed, 1 left in the inbox\n";
    assert_eq!(ended.err, format!("{line}{counts}  {line}"));
}

#[test]
fn once_waits_for_files_that_have_not_rested_and_not_for_those_that_it_leaves_out() {
    let directory = TempDir::new().unwrap();
    let incoming = directory.path().join("brigade-data/incoming");
    fs::create_dir_all(&incoming).unwrap();
    let _open = File::create(incoming.join("other.log")).unwrap();
    fs::write(incoming.join("a.csv"), "x").unwrap();
    fs::write(incoming.join("b.csv~"), "x").unwrap();
    let arguments = ["dev", "--once", "--match", "*.csv*", "--exec", "true"];
    let ended = run(brigade(directory.path(), arguments));
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.err.contains("1 found, 1 processed, 0 failed\n"), "{}", ended.err);
    let dropping = "left a file alone: editors, browsers and desktops";
    assert_eq!(ended.err.matches(dropping).count(), 1, "{}", ended.err);

    fs::write(incoming.join("c.csv"), "x").unwrap();
    let again = run(brigade(directory.path(), arguments.iter().chain(&["--rest", "0"])));
    assert!(again.err.contains("1 found, 1 processed, 0 failed\n"), "{}", again.err);
}
