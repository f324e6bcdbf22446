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

pub use brigade_runtime::service::{AuthConfig, Service};

use std::time::Duration;

use brigade_runtime::exit::{Exit, Failure};
use tokio::runtime::Runtime;

use crate::cli::{Cli, Command};

/// How long what a command has left behind may take to let go, once it has ended: tasks are dropped, and what they hold with
/// them. A thread that waits for a resolver or for `gcloud` cannot be told, and ends with the process.
const LEAVE: Duration = Duration::from_millis(500);

/// Runs one command to its end, and says on stderr why it failed, if it did.
pub fn run(cli: Cli) -> Exit {
    to_its_end(dispatch(cli.command))
}

/// The word comes before the wait: whoever reads stderr has it as soon as it is known.
fn to_its_end(command: impl Future<Output = Result<Exit, Failure>>) -> Exit {
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            let failure = Failure::unavailable(format!("cannot start: {error}"), "");
            return told(failure);
        }
    };
    let exit = runtime.block_on(command).unwrap_or_else(told);
    runtime.shutdown_timeout(LEAVE);
    exit
}

#[allow(
    clippy::needless_pass_by_value,
    reason = "it is the end of the failure"
)]
fn told(failure: Failure) -> Exit {
    outcome::complain(&failure);
    failure.exit
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_thread_that_waits_keeps_no_command_from_its_end() {
        let (go_on, waiting) = mpsc::channel::<()>();
        let (begun, begins) = mpsc::channel();
        let exit = to_its_end(async move {
            tokio::task::spawn_blocking(move || {
                let _ = begun.send(());
                waiting.recv_timeout(Duration::from_mins(1))
            });
            begins
                .recv()
                .map_err(|_| Failure::usage("it did not begin", ""))?;
            Ok(Exit::Partly)
        });
        // It waits still.
        go_on.send(()).unwrap();
        assert_eq!(exit, Exit::Partly);
    }
}
