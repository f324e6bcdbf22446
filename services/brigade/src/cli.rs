//! The command line.

use brigade_runtime::exit::Exit;
use clap::{Parser, Subcommand, error::ErrorKind};

use crate::{dev, doctor, emulator, poller, token, worker};

/// Hands each new file of a bucket to a worker, and moves it by the worker's answer.
#[derive(Debug, Parser)]
#[command(name = "brigade", version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "a process parses one")]
pub enum Command {
    /// Run the whole system on this machine, over a directory
    Dev(dev::Args),
    /// Serve the poller
    Poller(poller::Args),
    /// Serve a worker
    Worker(worker::Args),
    /// Serve an emulator of Google Cloud on this machine
    Emulator(emulator::Args),
    /// Check every connection of a poller, and name the first fix
    Doctor(doctor::Args),
    /// Print the ID token that this machine's identity gets
    Token(token::Args),
}

/// Prints help and versions on stdout, and errors of the arguments on stderr.
pub fn explain(error: &clap::Error) -> Exit {
    // A closed terminal does not change the exit code.
    let _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Done,
        _ => Exit::Usage,
    }
}
