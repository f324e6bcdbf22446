//! `brigade dev`: the whole system on this machine, with the same protocols and checks as in production.

mod brake;
mod introduce;
mod once;
mod samples;
mod settings;
mod system;
mod table;
mod watch;

use std::{path::PathBuf, time::Duration};

use brigade_runtime::{
    exit::{Exit, Failure},
    settings::{Problems, TIME_RANGE, time, url},
    shutdown,
    telemetry::{self, Format},
};

use self::{system::System, table::Show};

/// The arguments.
#[derive(Clone, Debug, clap::Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag")]
pub struct Args {
    /// The directory that serves as the bucket
    #[arg(long, value_name = "DIR", default_value = "brigade-data")]
    pub data: PathBuf,
    /// Poll until the inbox is settled, print a summary, and end
    #[arg(long)]
    pub once: bool,
    /// The program to run for each object; {} is its file's path [default: the sleep-study sample]
    #[arg(long, value_name = "CMD")]
    pub exec: Option<String>,
    /// How long the program may take for one file [default: 10m]
    #[arg(long, value_name = "TIME", value_parser = time(TIME_RANGE))]
    pub timeout: Option<Duration>,
    /// Call a worker that runs already, at this URL, instead of starting one; the variables that it needs are printed
    #[arg(long, value_name = "URL", conflicts_with_all = ["exec", "timeout"], value_parser = url)]
    pub worker: Option<url::Url>,
    /// The time from one poll to the next
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = time(TIME_RANGE))]
    pub interval: Duration,
    /// Notify the poller of each new file at once, as Pub/Sub does, instead of waiting for the next poll
    #[arg(long, conflicts_with = "once")]
    pub push: bool,
    /// Run no scheduler: a poll starts only when a client calls for it
    #[arg(long)]
    pub no_schedule: bool,
    /// The poller's port; the worker and the emulator take the next two; 0 is any three [default: 8080, 0 with --once]
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Do not write the sample recordings into a new directory
    #[arg(long)]
    pub no_samples: bool,
    /// Print one JSON object a line on stdout, as when stdout is no terminal
    #[arg(long)]
    pub json: bool,
}

/// Runs the system until a signal ends it, or with `--once` until the inbox is settled.
pub async fn run(args: Args, problems: Problems) -> Result<Exit, Failure> {
    telemetry::init(Format::for_stderr(), "warn");
    problems.into_result()?;
    let shutdown = shutdown::signal();
    let system = System::start(&args, shutdown.clone()).await?;
    let show = Show::on_stdout(args.json);
    introduce::print(&system, &args, show);
    let ended = if args.once {
        once::run(&system, show, &shutdown).await
    } else {
        let every = (!args.no_schedule).then_some(args.interval);
        watch::run(&system, show, every, args.push, &shutdown).await
    };
    system.stop().await;
    ended
}
