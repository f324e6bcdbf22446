//! Where other commands of this user find a `brigade dev` that runs on this machine.

use std::{
    env, fs,
    io::{self, Write as _},
    net::TcpStream,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use url::Url;

use super::process;

/// How long a service on this machine may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(1);

/// What another command needs to call its poller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Running {
    /// The poller.
    pub(crate) poller: Url,
    /// The metadata server that has its accounts, as `GCE_METADATA_HOST` names one.
    pub(crate) metadata_host: String,
    /// The account that may read, replay and poll.
    pub(crate) account: String,
    /// The directory that serves as the bucket.
    pub(crate) data: PathBuf,
    /// The page that shows it.
    pub(crate) page: Option<Url>,
}

/// The file that announces a `brigade dev`; dropped, the file is removed.
#[derive(Debug)]
pub(super) struct Announcement(PathBuf);

impl Drop for Announcement {
    fn drop(&mut self) {
        // A file that is left is recognised by its process, which has ended.
        let _ = fs::remove_file(&self.0);
    }
}

impl Running {
    /// Writes it where [`all`] finds it.
    pub(super) fn announce(&self) -> io::Result<Announcement> {
        self.announce_in(&directory()?)
    }

    fn announce_in(&self, directory: &Path) -> io::Result<Announcement> {
        let created = fs::DirBuilder::new().mode(0o700).create(directory);
        match created {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => check(directory)?,
        }
        let port = self.poller.port_or_known_default().unwrap_or_default();
        let path = directory.join(format!("{port}.json"));
        let record = serde_json::json!({
            "process": process::this().id,
            "poller": self.poller.as_str(),
            "metadata_host": self.metadata_host,
            "account": self.account,
            "data": self.data.display().to_string(),
            "page": self.page.as_ref().map(Url::as_str),
        });
        // A reader finds the whole file or none.
        let new = directory.join(format!("{port}.new"));
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(record.to_string().as_bytes())?;
        fs::rename(new, &path)?;
        Ok(Announcement(path))
    }

    /// What a file says, with the id of its process.
    fn read(path: &Path) -> Option<(Self, String)> {
        let record: serde_json::Value = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        let text = |field: &str| record[field].as_str().map(str::to_owned);
        let url = |field: &str| Url::parse(&text(field)?).ok();
        let running = Self {
            poller: url("poller")?,
            metadata_host: text("metadata_host")?,
            account: text("account")?,
            data: text("data")?.into(),
            page: url("page"),
        };
        Some((running, text("process")?))
    }

    /// Whether its port is open.
    fn accepts(&self) -> bool {
        let addresses = self.poller.socket_addrs(|| None).unwrap_or_default();
        addresses.iter().any(|address| TcpStream::connect_timeout(address, CONNECT).is_ok())
    }
}

/// Every `brigade dev` of this user that runs, by the port of its poller. Files of those that were killed are removed.
///
/// # Errors
/// When another user could have written there.
pub(crate) fn all() -> io::Result<Vec<Running>> {
    all_in(&directory()?)
}

fn all_in(directory: &Path) -> io::Result<Vec<Running>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    check(directory)?;
    let mut all = Vec::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        match Running::read(&path) {
            Some((_, id)) if process::has_ended(&id) => drop(fs::remove_file(&path)),
            Some((running, _)) if running.accepts() => all.push(running),
            // It starts, it ends, or it runs in another container.
            _ => {}
        }
    }
    all.sort_by_key(|running| running.poller.port());
    Ok(all)
}

/// Below the user's own runtime directory, or the one for temporary files.
fn directory() -> io::Result<PathBuf> {
    let runtime = env::var_os("XDG_RUNTIME_DIR").filter(|given| !given.is_empty());
    directory_in(&runtime.map_or_else(env::temp_dir, PathBuf::from))
}

/// The file has the key of the page: in the current directory, which may be a shared one, it has no place.
fn directory_in(parent: &Path) -> io::Result<PathBuf> {
    if parent.is_relative() {
        let shown = parent.display();
        return Err(io::Error::other(format!(
            "the directory for temporary files is {shown:?}, which is not absolute; fix: set XDG_RUNTIME_DIR or TMPDIR to an absolute one"
        )));
    }
    Ok(parent.join(format!("brigade-dev-{}", rustix::process::getuid().as_raw())))
}

/// In a directory for all users' files another could have made it first.
fn check(directory: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(directory)?;
    let is_own = found.uid() == rustix::process::getuid().as_raw() && found.mode() % 0o100 == 0;
    if found.is_dir() && is_own {
        return Ok(());
    }
    let shown = directory.display();
    Err(io::Error::other(format!("{shown} is not a directory that only this user may open")))
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, os::unix::fs::PermissionsExt as _};

    use super::*;

    /// The file has the key of the page. Another program may listen on the port of one that was killed.
    #[cfg(target_os = "linux")]
    #[test]
    fn the_file_of_a_brigade_dev_is_its_users_alone_and_counts_while_its_process_runs() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("x");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let running = Running {
            poller: Url::parse(&format!("http://127.0.0.1:{port}")).unwrap(),
            metadata_host: "127.0.0.1:9".into(),
            account: "a@b.example".into(),
            data: "/data".into(),
            page: None,
        };
        let announcement = running.announce_in(&directory).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&directory), mode(&announcement.0)), (0o700, 0o600));
        assert_eq!(all_in(&directory).unwrap(), std::slice::from_ref(&running));
        let text = fs::read_to_string(&announcement.0).unwrap();
        let own = process::this().id;
        let (process, _) = own.rsplit_once('/').unwrap();
        fs::write(&announcement.0, text.replace(&own, &format!("{process}/1"))).unwrap();
        assert_eq!(all_in(&directory).unwrap(), []);
        assert!(!announcement.0.exists());
    }

    /// An empty TMPDIR is the current directory.
    #[test]
    fn nothing_is_announced_in_the_current_directory() {
        for parent in ["", "tmp", "./tmp"] {
            let error = directory_in(Path::new(parent)).unwrap_err().to_string();
            assert!(error.contains("not absolute"), "{error}");
        }
        assert!(directory_in(&env::temp_dir()).is_ok());
    }

    #[test]
    fn a_directory_that_others_may_write_to_is_not_trusted() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("x");
        fs::create_dir(&directory).unwrap();
        for (mode, is_trusted) in [(0o700, true), (0o777, false), (0o750, false)] {
            fs::set_permissions(&directory, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(check(&directory).is_ok(), is_trusted, "{mode:o}");
        }
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
        let link = parent.path().join("link");
        std::os::unix::fs::symlink(&directory, &link).unwrap();
        assert!(check(&link).is_err(), "a link may be another user's");
    }
}
