//! The `brigade` command.

use std::process::ExitCode;

use brigade::cli::Cli;
use brigade_runtime::exit::explain;
use clap::Parser as _;

fn main() -> ExitCode {
    brigade::proxy::bypass();
    match Cli::try_parse() {
        Ok(cli) => brigade::run(cli).into(),
        Err(error) => explain(&error).into(),
    }
}
