//! Removes directories that programs have written to.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

/// Removes read-only directories too, which a module cache may leave.
pub(super) fn remove(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            make_writable(directory)?;
            fs::remove_dir_all(directory)
        }
        done => done,
    }
}

/// Removes one, or says in the log that it is left. `whose`: a run or a process.
pub(super) fn remove_or_warn(directory: &Path, whose: &str) {
    if let Err(error) = remove(directory) {
        tracing::warn!(path = %directory.display(), %error, "cannot remove a {whose}'s temporary directory");
    }
}

/// Makes every directory writable for the owner. Links are not followed.
pub(super) fn make_writable(directory: &Path) -> io::Result<()> {
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        fs::set_permissions(&next, Permissions::from_mode(0o700))?;
        for entry in fs::read_dir(&next)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                open.push(entry.path());
            }
        }
    }
    Ok(())
}
