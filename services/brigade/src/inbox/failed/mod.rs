//! `brigade failed`: which objects failed, and why.

mod group;
mod list;
mod show;

use brigade_runtime::{
    exit::{Exit, Failure},
    settings::Problems,
    telemetry::{self, Format},
};

use super::{
    filter::FilterArgs,
    out::{Out, end, note},
};
use crate::target::TargetArgs;

const EXAMPLES: &str = "Examples:
  brigade failed --since 18h --group
  brigade failed --kind no-day --match 'night-*.edf'
  brigade failed --csv > failed.csv
  brigade failed --json | jq -r '.[].path'
  brigade failed show 2026/night-0412.edf";

/// The arguments.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    form: FormArgs,
    #[command(flatten, next_help_heading = "Which objects")]
    filter: FilterArgs,
}

/// How they are shown.
#[derive(Clone, Copy, Debug, clap::Args)]
struct FormArgs {
    /// Show how many failed for each reason, the most frequent first
    #[arg(long)]
    group: bool,
    /// Show so many at most; 0 means all [default: 100 on a terminal, else all]
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Print one array of JSON
    #[arg(long)]
    json: bool,
    /// Print comma-separated values
    #[arg(long, conflicts_with = "json")]
    csv: bool,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Command {
    /// Show all that is known of one object
    Show(show::Args),
}

/// In which form a table is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Aligned on a terminal, separated by tabs otherwise.
    Table,
    Json,
    Csv,
}

/// Prints failed objects, or one object.
pub async fn run(args: &Args, problems: Problems) -> Result<Exit, Failure> {
    telemetry::init(Format::for_stderr(), "warn");
    if let Some(Command::Show(args)) = &args.command {
        return show::run(args, problems).await;
    }
    let target = args.target.resolve(problems)?;
    let client = target.inbox_client()?;
    let (filter, form, mut out) = (args.filter.failed(), args.form.form(), Out::stdout());
    let limit = args.form.limit(&out);
    let found = if args.form.group {
        group::run(&client, &filter, form, limit, &mut out).await
    } else {
        list::run(&client, &filter, form, limit, &mut out).await
    };
    let none = if args.filter.is_empty() {
        "no object has failed"
    } else {
        "no failed object matches the filter"
    };
    let ended = found.map(|found| {
        if found == 0 {
            note(none);
        }
        Exit::Done
    });
    end(ended, &target)
}

// === impl FormArgs ===

impl FormArgs {
    fn form(self) -> Form {
        match (self.json, self.csv) {
            (true, _) => Form::Json,
            (_, true) => Form::Csv,
            _ => Form::Table,
        }
    }

    /// How many lines are shown at most.
    fn limit(self, out: &Out) -> usize {
        let is_for_a_person = out.is_terminal() && self.form() == Form::Table;
        match self.limit {
            Some(0) => usize::MAX,
            Some(limit) => limit,
            None if is_for_a_person => 100,
            None => usize::MAX,
        }
    }
}
