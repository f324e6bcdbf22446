//! Uploads what a program left in its output directory.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use brigade_storage::FileContent;
use rustix::fs::OFlags;
use tokio::task::spawn_blocking;

use crate::{
    error::{ProcessError, is_exhausted},
    job::{Job, no_output},
};

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

/// The files below a directory, in name order. Links are not followed, as they could lead anywhere; pipes, sockets and
/// devices are skipped.
fn find(directory: &Path) -> io::Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next)? {
            let path = entry?.path();
            let kind = path.symlink_metadata()?.file_type();
            if kind.is_dir() {
                open.push(path);
            } else if kind.is_file() {
                found.insert(below(directory, &path)?, path);
            } else {
                tracing::warn!(path = ?path, "skipped an output that is not a regular file");
            }
        }
    }
    Ok(found)
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
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_and_pipes_are_left_out_and_folders_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir_all(at("b/c")).unwrap();
        fs::create_dir(at("empty")).unwrap();
        fs::write(at("b/c/x.json"), "{}").unwrap();
        fs::write(at("a.txt"), "").unwrap();
        symlink("/etc/passwd", at("link")).unwrap();
        symlink("/etc", at("b/folder")).unwrap();
        let pipe = at("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0)
            .unwrap();
        let names: Vec<_> = find(directory.path()).unwrap().into_keys().collect();
        assert_eq!(names, ["a.txt", "b/c/x.json"]);
        assert!(open("pipe", &pipe).is_err() && open("link", &at("link")).is_err());
    }

    #[test]
    fn the_content_type_follows_the_extension() {
        assert_eq!(content_type("a/b.JSON"), "application/json");
        assert_eq!(content_type("json"), "application/octet-stream");
    }
}
