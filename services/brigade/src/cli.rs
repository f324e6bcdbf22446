//! The command line.

use clap::{Parser, Subcommand};

use crate::{
    contract, dev, doctor, emulator,
    inbox::{failed, replay, status, watch},
    poll, poller, shell, token, ui, worker,
};

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
    /// Poll an inbox now, and show what happens
    Poll(poll::Args),
    /// Show how much waits, is at work and was settled, and what stops the poller
    Status(status::Args),
    /// Show which objects failed, and why
    Failed(failed::Args),
    /// Move failed objects back into the inbox, to run again
    Replay(replay::Args),
    /// Show what a poller does, as it happens
    Watch(watch::Args),
    /// Show what a poller has on a page in the browser
    Ui(ui::Args),
    /// Check every connection of a poller, and name the first fix
    Doctor(doctor::Args),
    /// Hold a real bucket to what the poller rests on, below a new prefix
    Contract(contract::Args),
    /// Print the ID token that this machine's identity gets
    Token(token::Args),
    /// Print the script that completes this command in a shell
    Completions(shell::CompletionsArgs),
    /// Print a page for man(1)
    Man(shell::ManArgs),
}
