//! Whether a script can be run: the first line of a program, and the argument that an interpreter runs.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use super::{
    find::{find, is_executable},
    invalid::{InvalidProgram, PLACEHOLDER},
};

/// As much of a file as the kernel reads to know how to run it.
const HEAD: u64 = 256;

/// Interpreters whose first argument that is no option is a file that they run, and options without a value of their own.
const INTERPRETERS: [(&[&str], &[&str]); 3] = [
    (&["python", "pypy"], &["-u", "-B", "-E", "-I", "-O", "-OO", "-q", "-s", "-S"]),
    (&["sh", "bash", "dash", "ash", "ksh", "zsh"], &["-e", "-u", "-x", "-eu", "-ex", "-eux"]),
    (&["node", "ruby", "perl", "Rscript", "php"], &["-w", "--vanilla"]),
];

/// Refuses a program that the kernel would not start.
pub(super) fn check_program(path: &Path) -> Result<(), InvalidProgram> {
    // A program that can be run need not be one that can be read.
    let Ok(head) = head(path) else { return Ok(()) };
    let path = || path.to_owned();
    let Some(line) = head.strip_prefix(b"#!") else {
        let is_text = !head.contains(&0) && !head.starts_with(b"\x7fELF");
        return if is_text && cfg!(unix) {
            Err(InvalidProgram::NoInterpreter(path()))
        } else {
            Ok(())
        };
    };
    let end = line.iter().position(|byte| *byte == b'\n').unwrap_or(line.len());
    if line[..end].ends_with(b"\r") {
        return Err(InvalidProgram::LineEnds(path()));
    }
    let line = String::from_utf8_lossy(&line[..end]);
    let mut words = line.split_ascii_whitespace();
    let interpreter = words.next().unwrap_or_default();
    let missing = |name: &str| InvalidProgram::NoSuchInterpreter(path(), name.to_owned());
    if !is_executable(Path::new(interpreter)) {
        return Err(missing(interpreter));
    }
    if interpreter.ends_with("/env") {
        let searched = words.find(|word| !word.starts_with('-') && !word.contains('='));
        if let Some(name) = searched {
            find(name).map_err(|_| missing(name))?;
        }
    }
    Ok(())
}

fn head(path: &Path) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    File::open(path)?.take(HEAD).read_to_end(&mut head)?;
    Ok(head)
}

/// The file that an interpreter is to run; none when the program is no interpreter that is known, or runs something else.
pub(super) fn argument<'a>(name: &str, arguments: &'a [String]) -> Option<Argument<'a>> {
    let name = Path::new(name).file_name()?.to_str()?;
    // `python3.12` is Python.
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let (_, options) = INTERPRETERS.iter().find(|(names, _)| names.contains(&name))?;
    let word = arguments.iter().find(|word| !options.contains(&word.as_str()));
    match word.map(String::as_str) {
        None | Some(PLACEHOLDER) => Some(Argument::Object),
        Some(word) if word.starts_with('-') || word.contains(PLACEHOLDER) => None,
        // Node adds the extension itself.
        Some(word) if name == "node" && Path::new(word).extension().is_none() => None,
        Some(word) => Some(Argument::Script(word)),
    }
}

/// What an interpreter is to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Argument<'a> {
    /// This file.
    Script(&'a str),
    /// Each object.
    Object,
}

impl Argument<'_> {
    /// The script, when there is none.
    pub(super) fn missing(self) -> Option<PathBuf> {
        let Self::Script(script) = self else { return None };
        // Shells look for a plain name in PATH, too.
        let is_found =
            Path::new(script).exists() || (!script.contains('/') && find(script).is_ok());
        (!is_found).then(|| script.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(command: &str) -> Option<String> {
        let words = shell_words::split(command).unwrap();
        match argument(&words[0], &words[1..])? {
            Argument::Script(script) => Some(script.to_owned()),
            Argument::Object => Some("the object".to_owned()),
        }
    }

    #[test]
    fn the_script_of_an_interpreter_is_known_and_nothing_is_guessed() {
        for (command, expected) in [
            ("python3 score.py", Some("score.py")),
            ("/usr/bin/python3.12 -u -B score.py {}", Some("score.py")),
            ("sh -eu score.sh", Some("score.sh")),
            ("Rscript --vanilla score.R", Some("score.R")),
            ("node score.js", Some("score.js")),
            ("python3", Some("the object")),
            ("sh -e {}", Some("the object")),
            ("python3 -m score", None),
            ("python3 -c 'import score'", None),
            ("python3 -W error score.py", None),
            ("sh -c 'exit 1' sh", None),
            ("node --require x score.js", None),
            ("perl -ne print", None),
            ("python3 -", None),
            ("python3 {}.py", None),
            ("node score", None),
            ("node ./lib/score", None),
            ("cat score.py", None),
            ("shellcheck score.sh", None),
        ] {
            assert_eq!(script(command).as_deref(), expected, "{command}");
        }
    }
}
