//! `brigade dev`: the whole system on this machine, with the same protocols and checks as in production.

mod being_written;
mod brake;
mod introduce;
mod once;
mod process;
mod samples;
mod settings;
mod system;
mod table;
mod watch;

use std::{path::PathBuf, time::Duration};

use brigade_poller::name_glob::NameGlob;
use brigade_runtime::{
    exit::{Exit, Failure},
    settings::{Problems, TIME_RANGE, time, url},
    shutdown,
    telemetry::{self, Format},
};
use brigade_worker::settings::OutputArgs;

use self::{system::System, table::Show};
use crate::setup::REST_RANGE;

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
    /// With --once: exit with 1 when any file failed, not only when all did or some are left
    #[arg(long, requires = "once")]
    pub fail_on_failed: bool,
    /// The program to run for each object; {} is its file's path [default: the sleep-study sample]
    #[arg(long, value_name = "CMD")]
    pub exec: Option<String>,
    /// The names of the outputs.
    #[command(flatten)]
    pub outputs: OutputArgs,
    /// How long the program may take for one file [default: 10m]
    #[arg(long, value_name = "TIME", value_parser = time(TIME_RANGE))]
    pub timeout: Option<Duration>,
    /// Call a worker that runs already, at this URL, instead of starting one; the variables that it needs are printed
    #[arg(long, value_name = "URL", conflicts_with_all = ["exec", "timeout"], value_parser = url)]
    pub worker: Option<url::Url>,
    /// Only files whose name below the inbox matches; * stops at /, ** does not [default: all]
    #[arg(long = "match", value_name = "GLOB")]
    pub matching: Option<NameGlob>,
    /// No files whose name below the inbox matches [default: none]
    #[arg(long, value_name = "GLOB")]
    pub exclude: Option<NameGlob>,
    /// Leave empty files where they are
    #[arg(long)]
    pub skip_empty: bool,
    /// Take a file that another program writes once it has not changed for this time and no program has it open for writing;
    /// 0 is at once [default: 1s, or 5s where the system does not say which files are open]
    #[arg(long, value_name = "TIME", value_parser = time(REST_RANGE))]
    pub rest: Option<Duration>,
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
pub async fn run(args: Args, mut problems: Problems) -> Result<Exit, Failure> {
    telemetry::init(Format::for_stderr(), "warn");
    let outputs = args.outputs.resolve(&mut problems);
    let outputs = problems.into_settings(outputs)?;
    let shutdown = shutdown::signal();
    let system = System::start(&args, outputs, shutdown.clone()).await?;
    let show = Show::on_stdout(args.json);
    introduce::print(&system, &args, show);
    let ended = if args.once {
        once::run(&system, show, args.fail_on_failed, &shutdown).await
    } else {
        let every = (!args.no_schedule).then_some(args.interval);
        watch::run(&system, show, every, args.push, &shutdown).await
    };
    system.stop().await;
    ended
}
