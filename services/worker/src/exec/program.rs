//! The program and its arguments.

use std::{
    env,
    ffi::{OsStr, OsString},
    os::unix::process::CommandExt as _,
    path::{self, Path, PathBuf},
    process::{Command, Stdio},
    str::FromStr,
};

use rustix::fs::{Access, access};

use super::environment::Variable;

/// The placeholder of the file's path in an argument.
const PLACEHOLDER: &str = "{}";

/// An existing program and its arguments, split as a shell splits them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    path: PathBuf,
    /// As given: some programs depend on the name they are called by.
    name: String,
    arguments: Vec<String>,
}

/// Why a command is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidProgram {
    /// A quote is not closed.
    #[error("a quote is not closed")]
    Quotes,
    /// Nothing to run.
    #[error("the command names no program")]
    Empty,
    /// The object itself would run.
    #[error(
        "{PLACEHOLDER} is the object's file, and cannot be the program; name the program before it"
    )]
    Object,
    /// The program does not exist.
    #[error("the program {0:?} does not exist; give its path, or a name that is in PATH")]
    Missing(String),
    /// The program exists, but cannot run.
    #[error(
        "{0:?} is not an executable file; run chmod +x on it, or put its interpreter before it"
    )]
    NotExecutable(PathBuf),
}

impl FromStr for Program {
    type Err = InvalidProgram;

    fn from_str(given: &str) -> Result<Self, InvalidProgram> {
        let words = shell_words::split(given).map_err(|_| InvalidProgram::Quotes)?;
        let mut words = words.into_iter();
        let name = words.next().filter(|name| !name.is_empty());
        let name = name.ok_or(InvalidProgram::Empty)?;
        if name.contains(PLACEHOLDER) {
            return Err(InvalidProgram::Object);
        }
        let path = find(&name, env::var_os("PATH").as_deref())?;
        Ok(Self { path, name, arguments: words.collect() })
    }
}

impl Program {
    /// The program's name as it was given.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The files of the command: the program, and each argument that is a file, such as a script.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let arguments = self.arguments.iter().map(Path::new);
        std::iter::once(&*self.path).chain(arguments.filter(|argument| argument.is_file()))
    }

    /// The command for one file: its path in place of each `{}`, or as the last argument. It runs where the worker
    /// does, so that paths in it mean what they meant when they were given.
    pub(super) fn command(&self, file: &Path, variables: &[Variable]) -> Command {
        let mut command = Command::new(&self.path);
        command
            .arg0(&self.name)
            .args(self.arguments(file))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        for (name, value) in variables {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }

    /// One argument more, or exactly as many as were given: a path never becomes two of them.
    fn arguments(&self, file: &Path) -> Vec<OsString> {
        let mut placed = false;
        let replaced = self.arguments.iter().map(|argument| {
            placed |= argument.contains(PLACEHOLDER);
            let parts: Vec<&OsStr> = argument.split(PLACEHOLDER).map(OsStr::new).collect();
            parts.join(file.as_os_str())
        });
        let mut arguments: Vec<OsString> = replaced.collect();
        if !placed {
            arguments.push(file.into());
        }
        arguments
    }
}

/// Searched when the worker starts, so that a missing program is one error then, and not one for each object.
fn find(name: &str, search: Option<&OsStr>) -> Result<PathBuf, InvalidProgram> {
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

fn is_executable(path: &Path) -> bool {
    path.is_file() && access(path, Access::EXEC_OK).is_ok()
}

/// A file name that keeps the extension and is harmless everywhere: only its letters, digits, dots, dashes
/// and underscores, never beginning with a dash or a dot.
pub(super) fn file_name(name: &str) -> String {
    const MAX: usize = 100;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let cleaned = name.chars().map(|c| if plain(c) { c } else { '_' });
    let cleaned: String = cleaned.collect();
    // The end is kept: that is where the extension is.
    let kept = &cleaned[cleaned.len().saturating_sub(MAX)..];
    match kept.trim_start_matches(['.', '-']) {
        "" => "object".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn arguments(command: &str, file: &str) -> Vec<OsString> {
        let program: Program = command.parse().unwrap();
        program.arguments(Path::new(file))
    }

    #[test]
    fn words_are_split_as_a_shell_splits_them() {
        assert_eq!(arguments("cat -n 'a b' \"c $HOME\"", "/f"), ["-n", "a b", "c $HOME", "/f"]);
    }

    #[test]
    fn the_path_stands_wherever_it_is_asked_for() {
        assert_eq!(arguments("cat --in={} -- {}", "/t/a b"), ["--in=/t/a b", "--", "/t/a b"]);
    }

    #[test]
    fn a_file_that_cannot_be_executed_is_an_error_that_says_what_to_do() {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        for given in [manifest, env!("CARGO_MANIFEST_DIR")] {
            let error = given.parse::<Program>().unwrap_err();
            assert!(matches!(error, InvalidProgram::NotExecutable(_)), "{given}");
            assert!(error.to_string().contains("chmod +x"), "{error}");
        }
    }

    #[test]
    fn of_two_files_in_path_the_one_that_can_be_run_is_taken() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("true"), "").unwrap();
        let search =
            env::join_paths([directory.path(), Path::new("/bin"), Path::new("/usr/bin")]).unwrap();
        let found = find("true", Some(&search)).unwrap();
        assert!(!found.starts_with(directory.path()), "{}", found.display());
    }

    #[test]
    fn file_names_are_harmless_and_keep_their_extension() {
        assert_eq!(file_name("night 1.csv"), "night_1.csv");
        assert_eq!(file_name("-rf"), "rf");
        assert_eq!(file_name(".."), "object");
        assert!(file_name(&"x".repeat(1000)).len() <= 100);
    }

    /// A command of any words, and how many they are: each quoted so that it stays one.
    fn command() -> impl Strategy<Value = (String, Vec<String>)> {
        proptest::collection::vec("\\PC{0,12}|[a-z]{0,3}(\\{\\})?[=;|&$` '\"]{0,3}(\\{\\})?", 0..6)
            .prop_map(|words| {
                let quoted: Vec<_> = words.iter().map(|word| shell_words::quote(word)).collect();
                (format!("cat {}", quoted.join(" ")), words)
            })
    }

    proptest! {
        #[test]
        fn a_name_never_becomes_another_argument((given, words) in command(), name in "\\PC{1,40}") {
            let file = format!("/tmp/{name}");
            let arguments = arguments(&given, &file);
            let placed = words.iter().any(|word| word.contains(PLACEHOLDER));
            prop_assert_eq!(arguments.len(), words.len() + usize::from(!placed));
            for (word, argument) in words.iter().zip(&arguments) {
                prop_assert_eq!(&OsString::from(word.replace(PLACEHOLDER, &file)), argument);
            }
            if !placed {
                prop_assert_eq!(arguments.last(), Some(&OsString::from(&file)));
            }
        }

        #[test]
        fn any_name_gives_a_plain_file_name(name in "\\PC{0,300}") {
            let file = file_name(&name);
            prop_assert!(!file.is_empty() && file.len() <= 100 && !file.starts_with(['-', '.']));
            prop_assert!(file.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)));
        }
    }
}
