//! The `brigade` command: wiring, and nothing else. Each subcommand is a file.

pub mod cli;
pub mod dev;
pub mod doctor;
pub mod emulator;
mod outcome;
pub mod poller;
mod setup;
pub mod token;
pub mod worker;

pub use brigade_runtime::gate::{Gate, assemble};

use brigade_runtime::exit::{Exit, Failure};

use crate::cli::{Cli, Command};

/// Runs one command to its end, and says on stderr why it failed, if it did.
pub fn run(cli: Cli) -> Exit {
    let ended = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::unavailable(format!("cannot start: {error}"), ""))
        .and_then(|runtime| runtime.block_on(dispatch(cli.command)));
    ended.unwrap_or_else(|failure| {
        outcome::complain(&failure);
        failure.exit
    })
}

async fn dispatch(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Dev(args) => dev::run(args).await,
        Command::Poller(args) => poller::run(&args).await,
        Command::Worker(args) => worker::run(&args).await,
        Command::Emulator(args) => emulator::run(args).await,
        Command::Doctor(args) => doctor::run(&args).await,
        Command::Token(args) => token::run(&args).await,
    }
}
