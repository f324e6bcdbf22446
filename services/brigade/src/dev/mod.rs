//! `brigade dev`: the whole system on this machine, over the same wires as in production.

mod introduce;
mod once;
mod samples;
mod settings;
mod show;
mod system;
mod table;
mod watch;

use std::{path::PathBuf, time::Duration};

use brigade_runtime::{
    exit::{Exit, Failure},
    settings::{TIME_RANGE, time, url},
    shutdown,
    telemetry::{self, Format},
};

use self::system::System;
use crate::setup;

/// The arguments.
#[derive(Clone, Debug, clap::Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag")]
pub struct Args {
    /// The directory that stands for the bucket
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
    /// Ask a worker that runs already, at this URL, in place of one of its own; what it has to be told is printed
    #[arg(long, value_name = "URL", conflicts_with_all = ["exec", "timeout"], value_parser = url)]
    pub worker: Option<url::Url>,
    /// From one poll to the next
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = time(TIME_RANGE))]
    pub interval: Duration,
    /// Tell the poller of each new file at once, as Pub/Sub does, instead of waiting for the next poll
    #[arg(long, conflicts_with = "once")]
    pub push: bool,
    /// Run no scheduler: nothing polls but who calls
    #[arg(long)]
    pub no_schedule: bool,
    /// The poller's port; the worker and the stand-in take the next two; 0 is any three [default: 8080, 0 with --once]
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Do not lay the sample recordings into a new directory
    #[arg(long)]
    pub no_samples: bool,
    /// One JSON object a line on stdout, as when it is piped
    #[arg(long)]
    pub json: bool,
}

/// Runs the system until it is told to stop, or with `--once` until the inbox is settled.
pub async fn run(args: Args) -> Result<Exit, Failure> {
    telemetry::init(Format::for_stderr(), "warn");
    setup::problems().into_result()?;
    let shutdown = shutdown::signal();
    let system = System::start(&args, shutdown.clone()).await?;
    let show = show::Show::on_stdout(args.json);
    system.introduce(&args, show);
    let ended = if args.once {
        once::run(&system, show, &shutdown).await
    } else {
        let every = (!args.no_schedule).then_some(args.interval);
        watch::run(&system, show, every, args.push, &shutdown).await
    };
    system.stop().await;
    ended
}
