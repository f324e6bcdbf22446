//! Finds a program.

use std::{
    env,
    ffi::OsStr,
    path::{self, Path, PathBuf},
};

use rustix::fs::{Access, access};

use super::invalid::InvalidProgram;

/// Searched in PATH when the worker starts, so that a missing program is one error then, and not one for each object.
pub(super) fn find(name: &str) -> Result<PathBuf, InvalidProgram> {
    find_in(name, env::var_os("PATH").as_deref())
}

pub(super) fn find_in(name: &str, search: Option<&OsStr>) -> Result<PathBuf, InvalidProgram> {
    let missing = || InvalidProgram::Missing(name.to_owned());
    let path = if name.contains('/') {
        PathBuf::from(name)
    } else {
        let candidates: Vec<PathBuf> = env::split_paths(search.ok_or_else(missing)?)
            .filter(|directory| !directory.as_os_str().is_empty())
            .map(|directory| directory.join(name))
            .filter(|path| path.is_file())
            .collect();
        let runs = candidates.iter().find(|path| is_executable(path));
        runs.or(candidates.first()).ok_or_else(missing)?.clone()
    };
    if !path.exists() {
        return Err(missing());
    }
    if !is_executable(&path) {
        return Err(InvalidProgram::NotExecutable(path));
    }
    // Not `canonicalize`: a link's name selects the command of a multi-call program.
    Ok(path::absolute(&path).unwrap_or(path))
}

pub(super) fn is_executable(path: &Path) -> bool {
    path.is_file() && access(path, Access::EXEC_OK).is_ok()
}
