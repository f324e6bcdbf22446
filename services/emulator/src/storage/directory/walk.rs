//! The names of the files below a directory, in the order of their bytes.

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
};

use super::HIDDEN;
use brigade_model::{Kind, Refusal, Result, name};

/// A walk that has found some names and looks for more.
struct Walk<'a> {
    root: &'a Path,
    prefix: &'a str,
    from: &'a str,
    limit: usize,
    found: Vec<String>,
    warned: &'a mut HashSet<PathBuf>,
}

/// At most `limit` names that begin with `prefix` and are not before `from`.
pub(super) fn names(
    root: &Path,
    prefix: &str,
    from: &str,
    limit: usize,
    warned: &mut HashSet<PathBuf>,
) -> Result<Vec<String>> {
    let mut walk = Walk { root, prefix, from, limit, found: Vec::new(), warned };
    walk.visit(root, "").map_err(|error| {
        Refusal::new(Kind::Internal, format!("cannot list the directory of the bucket: {error}"))
    })?;
    Ok(walk.found)
}

impl Walk<'_> {
    /// Visits a directory whose names begin with `base`. A directory is sorted with its slash: what is below it then
    /// comes between its neighbours just as all the names do.
    fn visit(&mut self, directory: &Path, base: &str) -> io::Result<()> {
        for name in self.entries(directory, base)? {
            if self.found.len() == self.limit {
                return Ok(());
            }
            match name.strip_suffix('/') {
                Some(below) => self.visit(&self.root.join(below), &name)?,
                None => self.found.push(name),
            }
        }
        Ok(())
    }

    /// What of a directory may have wanted names, sorted; directories end with a slash.
    fn entries(&mut self, directory: &Path, base: &str) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            // The bucket's own directory must be there; one below it may go, or be closed to us.
            Err(error) if base.is_empty() => return Err(error),
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    self.warn(directory, &error.to_string());
                }
                return Ok(Vec::new());
            }
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            if base.is_empty() && entry.file_name() == HIDDEN {
                continue;
            }
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            let path = entry.path();
            if kind.is_symlink() {
                self.warn(&path, "it is a symbolic link, which is not followed");
            } else if let Some(name) = self.name(&path, base) {
                let is_wanted = if kind.is_dir() { Self::may_hold } else { Self::wants };
                let name = if kind.is_dir() { name + "/" } else { name };
                if (kind.is_dir() || kind.is_file()) && is_wanted(self, &name) {
                    names.push(name);
                }
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// The name of a file or a directory, unless no object can have it.
    fn name(&mut self, path: &Path, base: &str) -> Option<String> {
        let Some(file) = path.file_name()?.to_str() else {
            self.warn(path, "its name is not UTF-8");
            return None;
        };
        let name = format!("{base}{file}");
        if let Err(refusal) = name::check_object(&name) {
            self.warn(path, &refusal.message);
            return None;
        }
        Some(name)
    }

    fn wants(&self, name: &str) -> bool {
        name.starts_with(self.prefix) && name >= self.from
    }

    /// Whether wanted names may begin with `base`.
    fn may_hold(&self, base: &str) -> bool {
        let begins = base.starts_with(self.prefix) || self.prefix.starts_with(base);
        begins && (base >= self.from || self.from.starts_with(base))
    }

    /// One line for each path, however often it is listed.
    fn warn(&mut self, path: &Path, why: &str) {
        if self.warned.insert(path.to_owned()) {
            tracing::warn!(?path, why, "skipped what cannot be an object");
        }
    }
}
