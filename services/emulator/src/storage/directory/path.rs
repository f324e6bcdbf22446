//! Which names a path can have, and where they are stored.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::HIDDEN;
use brigade_model::{Refusal, Result};

/// What file systems allow for one component, in bytes.
const LONGEST_COMPONENT: usize = 255;

/// The path of a name below `root`, which it never leaves, or why there can be none.
pub(super) fn resolve(root: &Path, name: &str) -> Result<PathBuf> {
    check(name)?;
    let mut path = root.to_owned();
    let mut parts = name.split('/').peekable();
    while let Some(part) = parts.next() {
        path.push(part);
        if parts.peek().is_some() && is_link(&path) {
            return Err(refused(
                name,
                "a part of it is a symbolic link, which the emulator does not follow",
            ));
        }
    }
    Ok(path)
}

/// Refuses a name that cannot be written: no path has it, or something else is in its way.
pub(super) fn check_writable(root: &Path, name: &str) -> Result<()> {
    let path = resolve(root, name)?;
    match fs::symlink_metadata(&path) {
        Ok(found) if found.is_dir() => {
            return Err(refused(name, "there is a directory of that name"));
        }
        Ok(found) if !found.is_file() => {
            return Err(refused(name, "that name is not a regular file"));
        }
        _ => {}
    }
    let mut parent = root.to_owned();
    for part in name.split('/').rev().skip(1).collect::<Vec<_>>().into_iter().rev() {
        parent.push(part);
        match fs::symlink_metadata(&parent) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Err(refused(name, "a part of it is a file, not a directory")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(error) => return Err(refused(name, &error.to_string())),
        }
    }
    Ok(())
}

fn check(name: &str) -> Result<()> {
    for (depth, part) in name.split('/').enumerate() {
        let why = match part {
            "" => "it has a slash at its beginning or end, or two in a row",
            "." | ".." => "a part of it is `.` or `..`",
            part if depth == 0 && part.eq_ignore_ascii_case(HIDDEN) => {
                "the emulator stores its own notes under that name"
            }
            part if part.len() > LONGEST_COMPONENT => "a part of it is longer than 255 bytes",
            part if part.contains('\0') => "it has a NUL",
            _ => continue,
        };
        return Err(refused(name, why));
    }
    Ok(())
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink())
}

fn refused(name: &str, why: &str) -> Refusal {
    Refusal::invalid(format!(
        "A directory cannot store the name '{}': {why}. Fix: use a bucket in memory.",
        name.escape_debug()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leaves_the_root() {
        let long = "x".repeat(256);
        for name in [
            "..",
            "../a",
            "a/../../b",
            "/etc/passwd",
            "a//b",
            "a/",
            "",
            ".",
            "a/./b",
            "x\0y",
            ".brigade-emulator/x",
            ".Brigade-Emulator",
            &long,
        ] {
            assert!(check(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn ordinary_and_odd_names_have_a_path() {
        for name in [
            "a",
            "in/a.csv",
            "...",
            "a b;'\"",
            "-rf",
            "é\u{301}",
            "a\\b",
            "%2F",
            "~",
            "x/.brigade-emulator",
        ] {
            assert!(check(name).is_ok(), "{name:?}");
        }
    }
}
