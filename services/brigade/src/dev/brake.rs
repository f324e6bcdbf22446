//! Lifts the inbox's brake when the developer has changed something: the program, its script, or the inbox.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use brigade_emulator::storage::BeingWritten;
use brigade_poller::{config::Config, name_glob::NameGlob};
use brigade_worker::settings::ExecSettings;

use super::settings::INBOX;

/// Where the state of the last run is kept, in the directory that serves as the bucket.
const STATE: &str = ".brigade/dev";

/// What the last poll of this directory was made with.
#[derive(Debug)]
pub(super) struct Watched {
    /// With how it runs.
    program: String,
    files: Vec<PathBuf>,
    inbox: PathBuf,
    state: PathBuf,
    matching: Option<NameGlob>,
    exclude: Option<NameGlob>,
}

impl Watched {
    pub(super) fn new(data: &Path, exec: Option<&ExecSettings>, config: &Config) -> Self {
        let files = exec.into_iter().flat_map(|exec| exec.program.files());
        Self {
            program: format!("{exec:?}"),
            files: files.map(Path::to_owned).collect(),
            inbox: data.join(INBOX),
            state: data.join(STATE),
            matching: config.matching.clone(),
            exclude: config.exclude.clone(),
        }
    }

    /// Whether a poll asks about files of this name.
    pub(super) fn is_wanted(&self, name: &str) -> bool {
        let below = name.strip_prefix(INBOX).unwrap_or(name);
        self.matching.as_ref().is_none_or(|glob| glob.is_match(below))
            && !self.exclude.as_ref().is_some_and(|glob| glob.is_match(below))
    }

    /// Whether anything has changed since the last time that this was asked, in this run or the one before. A file that is still
    /// being written is no change yet.
    pub(super) fn has_changed(&self, being_written: &[BeingWritten]) -> bool {
        let now = self.fingerprint(being_written);
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
    fn fingerprint(&self, being_written: &[BeingWritten]) -> String {
        let times = self.files.iter().map(|file| changed(file));
        let counts = |name: &str| {
            self.is_wanted(name) && !being_written.iter().any(|file| file.name == name)
        };
        let times: Vec<_> = times.chain([newest(&self.inbox, INBOX, &counts)]).collect();
        format!("{}\n{times:?}\n", self.program)
    }
}

fn changed(file: &Path) -> Option<SystemTime> {
    fs::metadata(file).ok()?.modified().ok()
}

/// The time of the newest file that counts below a folder, where names begin with `base`.
fn newest(folder: &Path, base: &str, counts: &impl Fn(&str) -> bool) -> Option<SystemTime> {
    let entries = fs::read_dir(folder).ok()?.flatten();
    let times = entries.filter_map(|entry| {
        let name = format!("{base}{}", entry.file_name().to_str()?);
        if entry.file_type().ok()?.is_dir() {
            newest(&entry.path(), &(name + "/"), counts)
        } else {
            changed(&entry.path()).filter(|_| counts(&name))
        }
    });
    times.max()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use brigade_storage::Location;

    use super::{super::settings::BUCKET, *};

    #[test]
    fn a_changed_program_script_or_inbox_is_seen_once() {
        let data = tempfile::tempdir().unwrap();
        let script = data.path().join("score.py");
        fs::write(&script, "1").unwrap();
        fs::create_dir(data.path().join(INBOX)).unwrap();
        let command = format!("cat {}", script.display());
        let watched = |command: &str| {
            let exec = ExecSettings::new(command.parse().unwrap());
            let mut config = Config::for_inbox(Location::new(BUCKET, INBOX));
            config.exclude = "*.log".parse().ok();
            Watched::new(data.path(), Some(&exec), &config)
        };
        assert!(watched(&command).has_changed(&[]), "a new directory");
        assert!(!watched(&command).has_changed(&[]), "another run of the same");
        let later = SystemTime::now() + Duration::from_secs(9);
        fs::File::options().write(true).open(&script).unwrap().set_modified(later).unwrap();
        assert!(watched(&command).has_changed(&[]), "the script");
        assert!(watched(&format!("{command} -v")).has_changed(&[]), "the command");
        assert!(watched(&command).has_changed(&[]), "and back");
        fs::write(data.path().join(INBOX).join("new.csv"), "1").unwrap();
        assert!(watched(&command).has_changed(&[]), "the inbox");
        assert!(!watched(&command).has_changed(&[]));
        fs::write(data.path().join(INBOX).join("excluded.log"), "1").unwrap();
        assert!(!watched(&command).has_changed(&[]), "no poll asks about it");
        let growing = data.path().join(INBOX).join("growing.csv");
        fs::File::create(growing).unwrap().set_modified(later).unwrap();
        let name = format!("{INBOX}growing.csv");
        let being_written = BeingWritten { name, waited: Duration::ZERO, has_rested: false };
        assert!(!watched(&command).has_changed(&[being_written]));
        assert!(watched(&command).has_changed(&[]), "it is complete");
    }
}
