//! Uploads what a program left in its output directory.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{error::ProcessError, job::Job};

/// Uploads every file under `directory` by its path below it, and answers the URIs in name order.
pub(super) async fn upload(job: &Job, directory: &Path) -> Result<Vec<String>, ProcessError> {
    let mut outputs = Vec::new();
    for (name, path) in files(directory).map_err(|error| unreadable(&error))? {
        let content = tokio::fs::read(&path)
            .await
            .map_err(|error| unreadable(&error))?;
        outputs.push(
            job.write(&name, content.into(), content_type(&name))
                .await?,
        );
    }
    Ok(outputs)
}

/// The files below a directory. Links are not followed: they could lead anywhere.
fn files(directory: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                open.push(entry.path());
            } else if kind.is_file() {
                let path = entry.path();
                let below = path.strip_prefix(directory).ok().and_then(Path::to_str);
                let name = below
                    .ok_or_else(|| io::Error::other(format!("{} is not UTF-8", path.display())))?;
                found.push((name.to_owned(), path));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn unreadable(error: &io::Error) -> ProcessError {
    ProcessError::internal(format!("the program's outputs cannot be read: {error}"))
}

/// What the usual extensions mean; everything else is bytes.
fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("json") => "application/json",
        Some("csv") => "text/csv",
        Some("txt") => "text/plain",
        Some("html") => "text/html",
        Some("png") => "image/png",
        _ => "application/octet-stream",
    }
}
