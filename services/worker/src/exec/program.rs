//! The program and its arguments.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    str::FromStr,
};

use tokio::process::Command;

/// Stands for the file's path in an argument.
const PLACE: &str = "{}";

/// A program that is there, and its arguments, split as a shell would split them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    path: PathBuf,
    arguments: Vec<String>,
}

/// Why a command is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidProgram {
    /// A quote is not closed.
    #[error("a quote in it is not closed")]
    Quotes,
    /// Nothing to run.
    #[error("it names no program")]
    Empty,
    /// The program is not there.
    #[error(
        "the program {0:?} is not there, or cannot be executed; give its path, or a name that is in PATH"
    )]
    Missing(String),
}

impl FromStr for Program {
    type Err = InvalidProgram;

    fn from_str(given: &str) -> Result<Self, InvalidProgram> {
        let words = shell_words::split(given).map_err(|_| InvalidProgram::Quotes)?;
        let mut words = words.into_iter();
        let name = words
            .next()
            .filter(|name| !name.is_empty())
            .ok_or(InvalidProgram::Empty)?;
        let path = find(&name).ok_or(InvalidProgram::Missing(name))?;
        Ok(Self {
            path,
            arguments: words.collect(),
        })
    }
}

impl Program {
    /// The command for one file: its path in place of each `{}`, or as the last argument.
    pub(super) fn command(&self, file: &Path, environment: &[(&'static str, OsString)]) -> Command {
        let mut command = Command::new(&self.path);
        command
            .args(self.arguments(file))
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        if let Some(room) = file.parent() {
            command.env("TMPDIR", room);
        }
        command
    }

    /// One argument more, or exactly as many as were given: a path never becomes two of them.
    fn arguments(&self, file: &Path) -> Vec<OsString> {
        let mut placed = false;
        let mut arguments: Vec<OsString> = self
            .arguments
            .iter()
            .map(|argument| {
                placed |= argument.contains(PLACE);
                replace(argument, file.as_os_str())
            })
            .collect();
        if !placed {
            arguments.push(file.into());
        }
        arguments
    }
}

fn replace(argument: &str, path: &OsStr) -> OsString {
    let mut replaced = OsString::new();
    for (n, part) in argument.split(PLACE).enumerate() {
        if n > 0 {
            replaced.push(path);
        }
        replaced.push(part);
    }
    replaced
}

/// Found when the worker starts, so that a missing program is an error then, and not one for each object.
fn find(name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        let path = PathBuf::from(name);
        return is_executable(&path).then(|| path.canonicalize().unwrap_or(path));
    }
    env::split_paths(&env::var_os("PATH")?)
        .map(|directory| directory.join(name))
        .find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

/// A file name that says what kind of file it is and is harmless everywhere: only its letters, digits, dots, dashes
/// and underscores, never beginning with a dash or a dot.
pub(super) fn file_name(name: &str) -> String {
    const MAX: usize = 100;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let cleaned: String = name
        .chars()
        .map(|c| if plain(c) { c } else { '_' })
        .collect();
    // The end is kept: that is where the extension is.
    let kept = &cleaned[cleaned.len().saturating_sub(MAX)..];
    match kept.trim_start_matches(['.', '-']) {
        "" => "object".to_owned(),
        // `output` is the directory beside it.
        "output" => "output_".to_owned(),
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
        assert_eq!(
            arguments("cat -n 'a b' \"c $HOME\"", "/f"),
            ["-n", "a b", "c $HOME", "/f"]
        );
    }

    #[test]
    fn the_path_stands_wherever_it_is_asked_for() {
        assert_eq!(
            arguments("cat --in={} -- {}", "/t/a b"),
            ["--in=/t/a b", "--", "/t/a b"]
        );
    }

    #[test]
    fn what_cannot_be_run_is_an_error_at_once() {
        assert_eq!("".parse::<Program>(), Err(InvalidProgram::Empty));
        assert_eq!("cat 'x".parse::<Program>(), Err(InvalidProgram::Quotes));
        for missing in [
            "no-such-program-here {}",
            "./no-such-file",
            concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
        ] {
            assert!(
                matches!(missing.parse::<Program>(), Err(InvalidProgram::Missing(_))),
                "{missing}"
            );
        }
    }

    #[test]
    fn file_names_are_harmless_and_keep_their_extension() {
        assert_eq!(file_name("night 1.csv"), "night_1.csv");
        assert_eq!(file_name("-rf"), "rf");
        assert_eq!(file_name(".."), "object");
        assert_eq!(file_name("output"), "output_");
        assert!(file_name(&"x".repeat(1000)).len() <= 100);
    }

    proptest! {
        #[test]
        fn a_path_never_becomes_more_than_one_argument(name in "\\PC{1,40}") {
            let file = format!("/tmp/{name}");
            prop_assert_eq!(arguments("cat -n", &file).len(), 2);
            prop_assert_eq!(arguments("cat {} x{}y", &file).len(), 2);
        }

        #[test]
        fn any_name_gives_a_plain_file_name(name in "\\PC{0,300}") {
            let file = file_name(&name);
            prop_assert!(!file.is_empty() && file.len() <= 101 && !file.starts_with(['-', '.']));
            prop_assert!(file.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)));
        }
    }
}
