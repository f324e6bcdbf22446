//! Lifts the inbox's brake when the developer has changed something: the program, its script, or the inbox.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use brigade_worker::exec::Program;

use super::settings::INBOX;

/// Where the state of the last run is kept, in the directory that serves as the bucket.
const STATE: &str = ".brigade/dev";

/// What the last poll of this directory was made with.
#[derive(Debug)]
pub(super) struct Watched {
    program: String,
    files: Vec<PathBuf>,
    inbox: PathBuf,
    state: PathBuf,
}

impl Watched {
    pub(super) fn new(data: &Path, exec: Option<&str>, program: Option<&Program>) -> Self {
        let files = program.into_iter().flat_map(Program::files);
        Self {
            program: exec.unwrap_or_default().to_owned(),
            files: files.map(Path::to_owned).collect(),
            inbox: data.join(INBOX),
            state: data.join(STATE),
        }
    }

    /// Whether anything has changed since the last time that this was asked, in this run or the one before.
    pub(super) fn has_changed(&self) -> bool {
        let now = self.fingerprint();
        let before = fs::read_to_string(&self.state).unwrap_or_default();
        if before == now {
            return false;
        }
        // A directory that cannot be written only costs a few files more.
        let _ = self.keep(&now);
        true
    }

    fn keep(&self, fingerprint: &str) -> io::Result<()> {
        if let Some(folder) = self.state.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&self.state, fingerprint)
    }

    /// The command, and the times of its files and of the inbox's newest file.
    fn fingerprint(&self) -> String {
        let times = self.files.iter().map(|file| changed(file));
        let times: Vec<_> = times.chain([newest(&self.inbox)]).collect();
        format!("{}\n{times:?}\n", self.program)
    }
}

fn changed(file: &Path) -> Option<SystemTime> {
    fs::metadata(file).ok()?.modified().ok()
}

/// The time of the newest file below a folder.
fn newest(folder: &Path) -> Option<SystemTime> {
    let entries = fs::read_dir(folder).ok()?.flatten();
    let times = entries.filter_map(|entry| {
        if entry.file_type().ok()?.is_dir() {
            newest(&entry.path())
        } else {
            changed(&entry.path())
        }
    });
    times.max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_program_script_or_inbox_is_seen_once() {
        let data = tempfile::tempdir().unwrap();
        let script = data.path().join("score.py");
        fs::write(&script, "1").unwrap();
        fs::create_dir(data.path().join(INBOX)).unwrap();
        let command = format!("cat {}", script.display());
        let watched = |command: &str| {
            let program = command.parse().unwrap();
            Watched::new(data.path(), Some(command), Some(&program))
        };
        assert!(watched(&command).has_changed(), "a new directory");
        assert!(!watched(&command).has_changed(), "another run of the same");
        let later = SystemTime::now() + std::time::Duration::from_secs(9);
        fs::File::options().write(true).open(&script).unwrap().set_modified(later).unwrap();
        assert!(watched(&command).has_changed(), "the script");
        assert!(watched(&format!("{command} -v")).has_changed(), "the command");
        assert!(watched(&command).has_changed(), "and back");
        fs::write(data.path().join(INBOX).join("new.csv"), "1").unwrap();
        assert!(watched(&command).has_changed(), "the inbox");
        assert!(!watched(&command).has_changed());
    }
}
