//! `brigade dev`: the whole system on this machine, with the same protocols and checks as in production.

pub(crate) mod announce;
mod being_written;
mod brake;
mod introduce;
mod live;
mod once;
mod page;
mod process;
mod refused;
mod samples;
mod settings;
mod system;
pub(crate) mod table;
mod watch;

use std::{path::PathBuf, time::Duration};

use brigade_poller::settings::PollArgs;
use brigade_runtime::{
    exit::{Exit, Failure},
    export::{Telemetry, TelemetryArgs},
    settings::{Problems, TIME_RANGE, time, url},
    shutdown,
    telemetry::{self, Format},
};
use brigade_worker::settings::{ExecArgs, JobArgs};

use self::{
    live::Live,
    settings::Settings,
    system::System,
    table::{Show, Table},
};
use crate::{faults::FaultArgs, setup::REST_RANGE};

/// What is logged with `--verbose`: what programs write, beside the warnings.
const VERBOSE: &str = "warn,program=info";

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
    /// Call a worker that runs already, at this URL, instead of starting one; the variables that it needs are printed
    #[arg(long, value_name = "URL", value_parser = url)]
    pub worker: Option<url::Url>,
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
    /// The poller's port; the worker, the emulator and the page take the next three; 0 is any four [default: 8080, 0 with --once]
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Do not write the sample recordings into a new directory
    #[arg(long)]
    pub no_samples: bool,
    /// Print one JSON object a line on stdout, as when stdout is no terminal
    #[arg(long)]
    pub json: bool,
    /// Show what the program writes, line by line, on stderr
    #[arg(long, short)]
    pub verbose: bool,
    /// What fails.
    #[command(flatten)]
    pub faults: FaultArgs,
    /// The program.
    #[command(flatten, next_help_heading = "The worker")]
    pub exec: ExecArgs,
    /// What one object may have.
    #[command(flatten)]
    pub job: JobArgs,
    /// The poller's settings.
    #[command(flatten, next_help_heading = "The poller")]
    pub poll: PollArgs,
    /// Of both services.
    #[command(flatten, next_help_heading = "Telemetry")]
    pub telemetry: TelemetryArgs,
}

/// Runs the system until a signal ends it, or with `--once` until the inbox is settled.
pub async fn run(args: Args, mut problems: Problems) -> Result<Exit, Failure> {
    if args.verbose {
        telemetry::init(Format::Rows, VERBOSE);
    } else {
        telemetry::init(Format::for_stderr(), "warn");
    }
    refused::check(&mut problems, |name| std::env::var_os(name));
    let telemetry = args.telemetry.resolve(&mut problems);
    let settings = Settings::resolve(&args, &mut problems).zip(telemetry);
    let (settings, telemetry) = problems.into_settings(settings)?;
    let telemetry = Telemetry::start(telemetry, "bucket-brigade-dev").await?;
    let ended = serve(args, settings).await;
    telemetry.shutdown().await;
    ended
}

async fn serve(args: Args, settings: Settings) -> Result<Exit, Failure> {
    let shutdown = shutdown::signal();
    let system = System::start(&args, settings, shutdown.clone()).await?;
    let faults = args.faults.inject(&system.emulator);
    let show = Show::on_stdout(args.json);
    // The file is there until this function ends.
    let _announcement = system.announce(&args.data);
    introduce::print(&system, &args, show);
    let live = Live::start(&system, show, &shutdown);
    let mut table = Table::new(show, live.screen());
    if args.once {
        let ended = once::run(&system, &mut table, args.fail_on_failed, &shutdown).await;
        system.stop().await;
        faults.report();
        return ended;
    }
    let every = (!args.no_schedule).then_some(args.interval);
    let ended = watch::run(system, &mut table, every, args.push, &shutdown).await;
    faults.report();
    ended
}
