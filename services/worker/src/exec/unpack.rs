//! Unpacks the copy of an object that is stored as gzip.

use std::{
    fs::{self, File},
    io::{BufReader, ErrorKind, Read as _, Write as _},
    path::{Path, PathBuf},
};

use flate2::bufread::MultiGzDecoder;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use super::{
    answer::RETRY_AFTER,
    run,
    work_dir::{self, WorkDir},
};
use crate::{error::ProcessError, job::Job};

/// How much is unpacked between two looks at the limit and at the callers.
const PIECE: usize = 64 * 1024;

/// A work directory with a copy of the job's object, which is unpacked if `unpacks` and it is packed; and whether it was.
pub(super) async fn fetch(job: &Job, unpacks: bool) -> Result<(WorkDir, bool), ProcessError> {
    let work_dir = WorkDir::create(job).await?;
    let unpacks = unpacks && is_packed(job);
    let copied =
        if unpacks { download(job, &work_dir).await } else { job.download(&work_dir.file).await };
    copied.map_err(work_dir::cannot_copy)?;
    Ok((work_dir, unpacks))
}

/// Whether the object is stored as gzip, by its content encoding.
fn is_packed(job: &Job) -> bool {
    job.object().content_encoding.trim().eq_ignore_ascii_case("gzip")
}

/// Downloads the object beside the work directory's file, checks it, and unpacks it into the file.
async fn download(job: &Job, work_dir: &WorkDir) -> Result<(), ProcessError> {
    let packed = work_dir.scratch.join("packed");
    job.download(&packed).await?;
    let (file, limit) = (work_dir.file.clone(), job.max_size());
    let stop = job.cancelled().clone();
    let done = spawn_blocking(move || unpack(&packed, &file, limit, &stop));
    done.await.map_err(|error| run::lost(&error)).flatten()
}

/// Unpacks every member of a gzip file, and removes it.
fn unpack(
    packed: &PathBuf,
    file: &Path,
    limit: Option<u64>,
    stop: &CancellationToken,
) -> Result<(), ProcessError> {
    let mut from = MultiGzDecoder::new(BufReader::new(File::open(packed)?));
    let mut to = File::create_new(file)?;
    let (mut piece, mut size) = (vec![0; PIECE], 0);
    loop {
        let read = match from.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) if is_broken(error.kind()) => {
                return Err(ProcessError::refuse(format!(
                    "the object's content encoding is gzip, but it cannot be unpacked: {error}, after {size} unpacked bytes; fix: upload it whole, or without the content encoding"
                ))
                .with_kind("broken-gzip"));
            }
            Err(error) => return Err(error.into()),
        };
        size += read as u64;
        if let Some(limit) = limit.filter(|limit| size > *limit) {
            return Err(ProcessError::refuse(format!(
                "the object has more than {limit} bytes when unpacked, the limit of this worker (BRIGADE_MAX_SIZE)"
            )));
        }
        if stop.is_cancelled() {
            let why = "no caller waits for the object any more";
            return Err(ProcessError::busy_for(RETRY_AFTER, why));
        }
        to.write_all(&piece[..read])?;
    }
    // It takes memory where the temporary directory does.
    Ok(fs::remove_file(packed)?)
}

/// How the decoder reports bytes that are not gzip. Anything else is an error of the disk.
fn is_broken(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::InvalidInput | ErrorKind::InvalidData | ErrorKind::UnexpectedEof)
}
