//! The program and its arguments.

use std::{
    ffi::{OsStr, OsString},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    str::FromStr,
};

use self::{find::find, invalid::PLACEHOLDER};
use super::environment::{Environment, Variable};

pub use self::invalid::InvalidProgram;

mod find;
mod invalid;
mod script;
mod shell;

/// An existing program and its arguments, split as a shell splits them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    path: PathBuf,
    /// As given: some programs depend on the name they are called by.
    name: String,
    arguments: Vec<String>,
    /// A word of the command that a shell would replace, and nothing does here.
    expansion: Option<String>,
}

impl FromStr for Program {
    type Err = InvalidProgram;

    fn from_str(given: &str) -> Result<Self, InvalidProgram> {
        let words = shell_words::split(given).map_err(|_| InvalidProgram::Quotes)?;
        shell::refuse(given)?;
        let mut words = words.into_iter();
        let name = words.next().filter(|name| !name.is_empty());
        let name = name.ok_or(InvalidProgram::Empty)?;
        if name.contains(PLACEHOLDER) {
            return Err(InvalidProgram::Object);
        }
        let path = find(&name)?;
        script::check_program(&path)?;
        let (arguments, expansion) = (words.collect(), shell::expansion(given));
        let program = Self { path, name, arguments, expansion };
        program.missing_script().map_or(Ok(program), |script| Err(InvalidProgram::Script(script)))
    }
}

impl Program {
    /// The program's name as it was given.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The script of an interpreter, when there is none: an interpreter reports that as any other failure.
    pub(super) fn missing_script(&self) -> Option<PathBuf> {
        script::argument(&self.name, &self.arguments)?.missing()
    }

    /// Why it cannot be started now, in other words than the kernel's.
    pub(super) fn problem(path: &Path) -> Option<InvalidProgram> {
        script::check_program(path).err()
    }

    /// Says once what is probably a mistake in the command.
    pub(crate) fn log_doubts(&self) {
        if let Some(word) = &self.expansion {
            tracing::warn!(%word, "no shell runs, so the program gets this word as it is; use sh -c '…' if a shell should replace it");
        }
        if script::argument(&self.name, &self.arguments) == Some(script::Argument::Object) {
            let program = &self.name;
            tracing::warn!(%program, "this interpreter has no script, so it runs each object itself: an uploaded file is a program then");
        }
    }

    /// What stands between the worker and the program, and closes the descriptors of a persistent one.
    pub(crate) fn wrapper(&self) -> Option<&str> {
        let name = Path::new(&self.name).file_name()?.to_str()?;
        let has = |word: &str| self.arguments.iter().any(|argument| argument == word);
        let closes = match name {
            "npm" | "npx" | "yarn" | "pnpm" | "docker" | "podman" => true,
            "conda" | "mamba" | "micromamba" => has("run"),
            "sudo" => !has("-C"),
            _ => false,
        };
        closes.then_some(name)
    }

    /// The files of the command: the program, and each argument that is a file, such as a script.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let arguments = self.arguments.iter().map(Path::new);
        std::iter::once(&*self.path).chain(arguments.filter(|argument| argument.is_file()))
    }

    /// The command for one file: its path in place of each `{}`, or as the last argument. It runs where the worker
    /// does, so that paths in it mean what they meant when they were given.
    pub(super) fn command(
        &self,
        file: &Path,
        environment: &Environment,
        variables: &[Variable],
    ) -> Command {
        let mut command = self.command_with(self.arguments(file), environment);
        for (name, value) in variables {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }

    /// The command of a persistent program, which gets its arguments as they are.
    pub(super) fn persistent_command(&self, environment: &Environment) -> Command {
        self.command_with(self.arguments.iter().map(OsString::from).collect(), environment)
    }

    fn command_with(&self, arguments: Vec<OsString>, environment: &Environment) -> Command {
        let mut command = Command::new(&self.path);
        command
            .arg0(&self.name)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        environment.apply(&mut command);
        command
    }

    /// Whether an argument has the place of an object's path.
    pub(crate) fn has_placeholder(&self) -> bool {
        self.arguments.iter().any(|argument| argument.contains(PLACEHOLDER))
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{find::find_in, *};

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
            std::env::join_paths([directory.path(), Path::new("/bin"), Path::new("/usr/bin")])
                .unwrap();
        let found = find_in("true", Some(&search)).unwrap();
        assert!(!found.starts_with(directory.path()), "{}", found.display());
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
    }
}
