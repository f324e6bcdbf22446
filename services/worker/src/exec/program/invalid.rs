//! What is wrong with a command.

use std::path::PathBuf;

/// The placeholder of the file's path in an argument.
pub(super) const PLACEHOLDER: &str = "{}";

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
    /// Only a shell understands it.
    #[error(
        "a shell gives {word:?} its meaning, and no shell runs; fix: sh -c {script} sh {PLACEHOLDER}, in which \"$1\" is the object's file{persistent}; or put it into quotes if the program should get it"
    )]
    Shell {
        /// The word.
        word: String,
        /// The command as a shell's script, quoted.
        script: String,
        /// What it is for a persistent program, which gets no file; empty when that is unknown.
        persistent: String,
    },
    /// Only a shell understands it as the value of a variable.
    #[error("only a shell sets a variable by {0:?}, and no shell runs; fix: write env before it")]
    Assignment(String),
    /// Only a shell understands it as a directory.
    #[error("only a shell replaces the ~ of {0:?}, and no shell runs; fix: write the whole path")]
    Home(String),
    /// The file that an interpreter is to run does not exist.
    #[error(
        "the script {0:?} does not exist; give its path from the directory where the worker starts"
    )]
    Script(PathBuf),
    /// A script with the line ends of Windows.
    #[error(
        "the first line of {0:?} ends with CR LF, and the CR belongs to the interpreter's name then; fix: save the file with LF"
    )]
    LineEnds(PathBuf),
    /// A script whose interpreter is missing.
    #[error(
        "the first line of {0:?} names the interpreter {1:?}, which does not exist or cannot be executed; install it, or correct the line"
    )]
    NoSuchInterpreter(PathBuf, String),
    /// A script without a first line that names its interpreter.
    #[error(
        "{0:?} is a text without an interpreter; begin it with a line such as #!/bin/sh, or put its interpreter before it"
    )]
    NoInterpreter(PathBuf),
    /// The program does not exist.
    #[error("the program {0:?} does not exist; give its path, or a name that is in PATH")]
    Missing(String),
    /// The program exists, but cannot run.
    #[error(
        "{0:?} is not an executable file; run chmod +x on it, or put its interpreter before it"
    )]
    NotExecutable(PathBuf),
}
