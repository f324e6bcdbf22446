//! The `brigade` command.

use std::process::ExitCode;

use brigade::cli::Cli;
use clap::Parser as _;

fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => brigade::run(cli).into(),
        Err(error) => brigade::cli::explain(&error).into(),
    }
}
