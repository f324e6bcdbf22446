//! The `brigade` command: wiring alone. Each subcommand is a module.

mod ask;
pub mod cli;
pub mod contract;
pub mod dev;
pub mod doctor;
pub mod emulator;
pub mod faults;
pub mod inbox;
mod live;
mod outcome;
pub mod poll;
pub mod poller;
pub mod proxy;
mod setup;
pub mod shell;
pub mod target;
pub mod token;
pub mod ui;
pub mod worker;

pub use brigade_runtime::service::{AuthConfig, Service};

use std::{
    io::{self, Write as _},
    time::Duration,
};

use brigade_runtime::exit::{Exit, Failure};
use clap::CommandFactory as _;
use tokio::runtime::{Builder, Runtime};

use crate::{
    cli::{Cli, Command},
    inbox::{failed, replay, status, watch},
};

/// How long the tasks that a command leaves behind may take to stop. A thread that waits for a resolver or for `gcloud`
/// cannot be cancelled and ends with the process.
const TASKS_GRACE: Duration = Duration::from_millis(500);

/// Runs one command to its end. When it fails, prints the reason on stderr.
pub fn run(cli: Cli) -> Exit {
    run_to_end(runtime(&cli.command), dispatch(cli.command))
}

/// The poller waits for others nearly always, and one core moves more objects than a bucket may write. On one thread no task
/// has to wake another thread, and what is written to a connection at one time goes out at once.
fn runtime(command: &Command) -> io::Result<Runtime> {
    let mut builder = match command {
        Command::Poller(_) => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder.enable_all().build()
}

/// A failure is printed before the wait for tasks, as soon as it is known.
fn run_to_end(
    runtime: io::Result<Runtime>,
    command: impl Future<Output = Result<Exit, Failure>>,
) -> Exit {
    let print_failure = |failure: Failure| {
        // When stderr is closed there is no place to report it.
        let _ = writeln!(std::io::stderr(), "{failure}");
        failure.exit
    };
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            return print_failure(Failure::unavailable(format!("cannot start: {error}"), ""));
        }
    };
    let exit = runtime.block_on(command).unwrap_or_else(print_failure);
    runtime.shutdown_timeout(TASKS_GRACE);
    exit
}

async fn dispatch(command: Command) -> Result<Exit, Failure> {
    let problems = setup::problems(&Cli::command());
    match command {
        // It holds all services, so it is large.
        Command::Dev(args) => Box::pin(dev::run(args, problems)).await,
        Command::Poller(args) => poller::run(&args, problems).await,
        Command::Worker(args) => worker::run(&args, problems).await,
        Command::Emulator(args) => emulator::run(args).await,
        Command::Doctor(args) => doctor::run(&args, problems).await,
        Command::Contract(args) => contract::run(&args, problems).await,
        Command::Token(args) => token::run(&args, problems).await,
        Command::Poll(args) => poll::run(&args, problems).await,
        Command::Status(args) => status::run(&args, problems).await,
        Command::Failed(args) => failed::run(&args, problems).await,
        Command::Replay(args) => replay::run(&args, problems).await,
        Command::Watch(args) => watch::run(&args, problems).await,
        Command::Ui(args) => ui::run(args, problems).await,
        Command::Completions(args) => Ok(shell::completions(args, Cli::command())),
        Command::Man(args) => shell::man(&args, Cli::command()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_thread_that_waits_does_not_keep_a_command_from_ending() {
        let (go_on, waiting) = mpsc::channel::<()>();
        let (begun, begins) = mpsc::channel();
        let exit = run_to_end(Runtime::new(), async move {
            tokio::task::spawn_blocking(move || {
                let _ = begun.send(());
                waiting.recv_timeout(Duration::from_mins(1))
            });
            begins.recv().map_err(|_| Failure::usage("it did not begin", ""))?;
            Ok(Exit::Partly)
        });
        // The thread still waits.
        go_on.send(()).unwrap();
        assert_eq!(exit, Exit::Partly);
    }
}
