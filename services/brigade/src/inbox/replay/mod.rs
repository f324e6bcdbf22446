//! `brigade replay`: failed objects run again. It shows how many there are, and asks.

mod ask;
mod show;
mod stream;

use brigade_client::InboxClient;
use brigade_proto::v1::{
    PollRequest, ReplayObjectsRequest, ReplayResult, replay_objects_response::Event,
};
use brigade_runtime::{
    exit::{Exit, Failure},
    settings::Problems,
    telemetry::{self, Format},
};

use self::{show::Show, stream::Tally};
use super::{
    filter::FilterArgs,
    out::{Out, Stop, end, note},
    text::objects,
};
use crate::{
    poll,
    target::{Target, TargetArgs},
};

const EXAMPLES: &str = "Examples:
  brigade replay 2026/night-0412.edf
  brigade replay --kind no-day --since 18h --dry-run
  brigade replay --match 'night-*.edf' --yes --poll
  brigade replay --all";

/// When nothing can be moved, so many objects are named with the reason.
const SKIPPED: usize = 20;

/// The arguments.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag")]
pub struct Args {
    /// Objects by their names below the failed location, their whole names, or their gs:// URIs
    #[arg(value_name = "NAME", conflicts_with_all = ["FilterArgs", "all"])]
    names: Vec<String>,
    /// Every failed object
    #[arg(long, conflicts_with = "FilterArgs")]
    all: bool,
    /// Move so many at most; 0 means all
    #[arg(long, value_name = "N", default_value = "0", hide_default_value = true, value_parser = clap::value_parser!(i64).range(0..))]
    limit: i64,
    /// Show what would be moved, and move nothing
    #[arg(long, conflicts_with_all = ["yes", "poll"])]
    dry_run: bool,
    /// Move without asking
    #[arg(long, short)]
    yes: bool,
    /// Poll afterwards, and show the results
    #[arg(long)]
    poll: bool,
    /// Print one JSON object a line: the poller's own messages
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten, next_help_heading = "Which objects")]
    filter: FilterArgs,
}

/// Moves failed objects back into the inbox.
pub async fn run(args: &Args, problems: Problems) -> Result<Exit, Failure> {
    telemetry::init(Format::for_stderr(), "warn");
    let request = args.request()?;
    let asks = !args.yes && !args.dry_run;
    if asks {
        ask::check_terminal()?;
    }
    let target = args.target.resolve(problems)?;
    let client = target.inbox_client()?;
    end(replay(args, request, &target, &client, asks).await, &target)
}

async fn replay(
    args: &Args,
    request: ReplayObjectsRequest,
    target: &Target,
    client: &InboxClient,
    asks: bool,
) -> Result<Exit, Stop> {
    if asks {
        let (planned, skipped) = plan(&request, client).await?;
        if planned.moved == 0 {
            for line in &skipped {
                note(line);
            }
            return Ok(args.nothing(planned));
        }
        if !ask::confirmed(&planned, &target.what).await? {
            note("nothing was moved");
            return Ok(Exit::Partly);
        }
    }
    let mut show = Show::new(Out::stdout(), args.json, args.dry_run);
    let tally = stream::run(client, request, |response| show.event(response)).await?;
    show.end(&tally)?;
    if tally.moved == 0 {
        return Ok(args.nothing(tally));
    }
    if tally.has_more {
        note("the limit ended the replay; run it again for the rest");
    }
    let polled = if args.poll {
        poll::follow(target, PollRequest::default(), args.json).await?
    } else {
        Exit::Done
    };
    Ok(if tally.skipped() > 0 { Exit::Partly } else { polled })
}

/// Counts what would be moved; with the first objects that would not.
async fn plan(
    request: &ReplayObjectsRequest,
    client: &InboxClient,
) -> Result<(Tally, Vec<String>), Stop> {
    let request = ReplayObjectsRequest { dry_run: true, ..request.clone() };
    let (mut progress, mut lines) = (show::Progress::on_stderr(), Vec::new());
    let tally = stream::run(client, request, |response| {
        progress.event(response);
        if let Some(Event::Object(replayed)) = &response.event
            && replayed.result() != ReplayResult::Planned
            && lines.len() < SKIPPED
        {
            let (word, why) = show::skipped(replayed);
            lines.push(format!("{word}  {why}"));
        }
        Ok(())
    });
    let tally = tally.await;
    progress.clear();
    Ok((tally?, lines))
}

// === impl Args ===

impl Args {
    fn request(&self) -> Result<ReplayObjectsRequest, Failure> {
        if self.names.is_empty() && !self.all && self.filter.is_empty() {
            return Err(Failure::usage(
                "replay needs to know which objects",
                "name them, filter them with --kind, --match, --since or the like, or pass --all",
            ));
        }
        Ok(ReplayObjectsRequest {
            filter: (!self.filter.is_empty()).then(|| self.filter.failed()),
            names: self.names.clone(),
            all: self.all,
            dry_run: self.dry_run,
            limit: self.limit,
            page_token: String::new(),
        })
    }

    /// Says that nothing can be moved, or that nothing was there to be moved.
    fn nothing(&self, tally: Tally) -> Exit {
        if tally.skipped() > 0 {
            let stay = objects(tally.skipped());
            note(&format!("nothing can be moved: {stay} cannot be replayed{}", tally.reasons()));
            return Exit::Partly;
        }
        note(if self.all {
            "no object has failed; there is nothing to replay"
        } else {
            "no failed object matches; there is nothing to replay"
        });
        if self.names.is_empty() { Exit::Done } else { Exit::Partly }
    }
}
