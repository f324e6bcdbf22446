//! Uploads what a program left in its output directory.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs::{self, File, FileType, OpenOptions},
    io,
    os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use brigade_storage::FileContent;
use rustix::fs::OFlags;
use tokio::task::spawn_blocking;

use crate::{
    error::{ProcessError, is_exhausted},
    job::Job,
    output::no_output,
};

/// How much a program may leave in its output directory: each file is at least one call of storage.
const MAX_FILES: usize = 10_000;

/// Uploads every file under `directory` by its path below it, and returns the URIs in name order. Files are read piece by
/// piece.
///
/// A worker without an output location must not lose outputs: any file is an error then, which names the setting.
pub(super) async fn upload(job: &Job, directory: &Path) -> Result<Vec<String>, ProcessError> {
    let directory = directory.to_owned();
    let found = blocking(move || find(&directory)).await?;
    if !found.is_empty() && job.output().is_none() {
        let left = match found.len() {
            1 => "a file".to_owned(),
            count => format!("{count} files"),
        };
        return Err(no_output(&format!("the program left {left} in OUTPUT_DIR")));
    }
    for name in found.keys() {
        job.check_output_name(name)?;
    }
    let mut uris = Vec::with_capacity(found.len());
    for (name, path) in found {
        let (name, file) = blocking(move || open(&name, &path).map(|file| (name, file))).await?;
        let content = FileContent::new(file).await;
        let content = content.map_err(|error| cannot_read(&error))?;
        let content_type = content_type(&name);
        uris.push(job.write(&name, content, content_type).await?);
    }
    Ok(uris)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, ProcessError> {
    let done = spawn_blocking(work).await.map_err(io::Error::other);
    done.flatten().map_err(|error| cannot_read(&error))
}

fn cannot_read(error: &io::Error) -> ProcessError {
    let message = format!("cannot upload the files in OUTPUT_DIR: {error}");
    if is_exhausted(error) {
        ProcessError::retry_after(crate::error::DEFAULT_RETRY_AFTER, message)
    } else {
        ProcessError::internal(message)
    }
}

/// The files below a directory, in name order, all of them checked. Anything that cannot become an object is an error, which
/// names it: an output must not be lost in silence.
fn find(directory: &Path) -> io::Result<BTreeMap<String, PathBuf>> {
    let directory = &directory.canonicalize()?;
    let mut found = BTreeMap::new();
    let mut open = vec![directory.clone()];
    let mut seen = 0;
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next)? {
            seen += 1;
            if seen > MAX_FILES {
                return Err(io::Error::other(format!(
                    "it has more than {MAX_FILES} files and directories; fix: pack them into one file, such as .tar or .parquet"
                )));
            }
            let (path, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
            if kind.is_dir() {
                open.push(path);
                continue;
            }
            let name = below(directory, &path)?;
            let file = match kind {
                kind if kind.is_file() => path,
                kind if kind.is_symlink() => target(directory, &path)
                    .map_err(|why| io::Error::other(format!("{name:?} is {why}")))?,
                kind => return Err(io::Error::other(not_a_file(&name, kind))),
            };
            found.insert(name, file);
        }
    }
    Ok(found)
}

/// The regular file below the directory that a link leads to. Any other link is an error: it could lead to a file that is not
/// the program's to publish, or in a circle.
fn target(directory: &Path, link: &Path) -> Result<PathBuf, String> {
    let to = fs::read_link(link).map_err(|error| format!("an unreadable link: {error}"))?;
    let (is_absolute, to) = (to.is_absolute(), to.to_string_lossy());
    if is_absolute {
        return Err(format!("a link to {to:?}, an absolute path; fix: copy the file"));
    }
    let target = link.canonicalize();
    let target = target.map_err(|error| format!("a broken link to {to:?}: {error}"))?;
    if !target.starts_with(directory) {
        return Err(format!("a link to {to:?}, outside of OUTPUT_DIR; fix: copy the file"));
    }
    match target.metadata() {
        Ok(metadata) if metadata.is_file() => Ok(target),
        _ => Err(format!("a link to {to:?}, which is not a regular file; fix: copy it")),
    }
}

fn not_a_file(name: &str, kind: FileType) -> String {
    let what = match kind {
        kind if kind.is_fifo() => "a named pipe",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    };
    format!("{name:?} is {what}; fix: remove it, or create it in TMPDIR")
}

/// The path below the directory; on Unix its separator is that of object names.
fn below(directory: &Path, path: &Path) -> io::Result<String> {
    let below = path.strip_prefix(directory).ok().and_then(Path::to_str);
    let name = below.ok_or_else(|| {
        io::Error::other(format!("the file name {} is not UTF-8", path.display()))
    })?;
    if name.contains(['\r', '\n']) {
        return Err(io::Error::other(format!(
            "the file name {name:?} has a line break, which an object's name cannot have"
        )));
    }
    Ok(name.to_owned())
}

/// Opens a regular file. It may have become a link or a pipe meanwhile: then it is not opened.
fn open(name: &str, path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other(format!("{name:?} is not a regular file any more")))
    }
}

/// The content type of the usual extensions; any other file is bytes.
fn content_type(name: &str) -> &'static str {
    let extension = Path::new(name).extension().map(OsStr::to_ascii_lowercase);
    match extension.as_deref().and_then(OsStr::to_str) {
        Some("json") => "application/json",
        Some("jsonl" | "ndjson") => "application/x-ndjson",
        Some("csv") => "text/csv",
        Some("tsv") => "text/tab-separated-values",
        Some("txt" | "log") => "text/plain",
        Some("md") => "text/markdown",
        Some("html") => "text/html",
        Some("xml") => "application/xml",
        Some("pdf") => "application/pdf",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("svg") => "image/svg+xml",
        Some("gz") => "application/gzip",
        Some("zip") => "application/zip",
        Some("parquet") => "application/vnd.apache.parquet",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use std::{fmt::Write as _, os::unix::fs::symlink};

    use super::*;

    /// An empty output directory beside a file of others, and a path in it.
    fn output() -> (tempfile::TempDir, impl Fn(&str) -> PathBuf) {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("secret"), "x").unwrap();
        let output = root.path().join("output");
        fs::create_dir(&output).unwrap();
        (root, move |name: &str| output.join(name))
    }

    #[test]
    fn folders_are_kept_and_a_link_to_a_file_of_the_directory_is_that_file() {
        let (_root, at) = output();
        fs::create_dir_all(at("b/c")).unwrap();
        fs::create_dir(at("empty")).unwrap();
        fs::write(at("b/c/x.json"), "{}").unwrap();
        fs::write(at("a.txt"), "").unwrap();
        symlink("b/c/x.json", at("latest.json")).unwrap();
        symlink("../latest.json", at("b/of-a-link")).unwrap();
        let found = find(&at("")).unwrap();
        let names: Vec<_> = found.keys().collect();
        assert_eq!(names, ["a.txt", "b/c/x.json", "b/of-a-link", "latest.json"]);
        for name in ["latest.json", "b/of-a-link"] {
            assert_eq!(fs::read_to_string(&found[name]).unwrap(), "{}");
            open(name, &found[name]).unwrap();
            assert!(open(name, &at(name)).is_err(), "a file became a link");
        }
    }

    #[test]
    fn what_cannot_become_an_object_is_an_error_of_its_own() {
        let pipe = |path: PathBuf| {
            rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o600.into(), 0)
                .unwrap();
        };
        let cases: [(&str, &dyn Fn(PathBuf)); 9] = [
            ("absolute", &|path| symlink("/etc/passwd", path).unwrap()),
            ("absolute inside", &|path| symlink(path.with_file_name("a"), path).unwrap()),
            ("broken", &|path| symlink("no/such", path).unwrap()),
            ("circle", &|path| symlink(path.file_name().unwrap(), &path).unwrap()),
            ("outside", &|path| symlink("../secret", path).unwrap()),
            ("outside and back", &|path| symlink("../output/../secret", path).unwrap()),
            ("directory", &|path| symlink(".", path).unwrap()),
            ("pipe", &pipe),
            ("socket", &|path| drop(std::os::unix::net::UnixListener::bind(path).unwrap())),
        ];
        let mut table = String::new();
        for (name, make) in cases {
            let (_root, at) = output();
            fs::write(at("a"), "").unwrap();
            make(at(name));
            let why = find(&at("")).unwrap_err().to_string();
            writeln!(table, "{}", why.replace(at("").to_str().unwrap(), "OUTPUT_DIR/")).unwrap();
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn a_directory_with_too_many_files_is_an_error_that_names_the_limit() {
        let (_root, at) = output();
        fs::create_dir(at("folder")).unwrap();
        for n in 1..MAX_FILES {
            File::create(at(&format!("folder/{n}"))).unwrap();
        }
        assert_eq!(find(&at("")).unwrap().len(), MAX_FILES - 1);
        File::create(at("one more")).unwrap();
        let error = find(&at("")).unwrap_err();
        assert!(error.to_string().contains("10000 files"), "{error}");
    }

    #[test]
    fn the_content_type_follows_the_extension() {
        assert_eq!(content_type("a/b.JSON"), "application/json");
        assert_eq!(content_type("json"), "application/octet-stream");
    }
}
