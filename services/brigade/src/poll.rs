//! `brigade poll`: one poll of a poller, or one after the other.

use std::{
    io::{self, IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

use brigade_client::{InboxClient, PollerClient};
use brigade_proto::v1::{
    Brake, EndReason, Filter, GetStatusRequest, LeaseHolder, ObjectSettled, ObjectSkipped,
    PollCounts, PollFinished, PollRequest, PollResponse, Settlement, poll_response::Event,
};
use brigade_runtime::{
    exit::{Exit, Failure},
    settings::Problems,
    shutdown,
    telemetry::{self, Format},
};
use brigade_storage::object::escape;
use tokio_util::sync::CancellationToken;

use crate::{
    dev::table::{Show, reasons, row},
    inbox::{
        out::{Stop, end, note},
        text::{exact, number},
    },
    live::{Progress, Screen, columns, wrap},
    target::{Target, TargetArgs},
};

/// The pause between two polls of --watch.
const PAUSE: Duration = Duration::from_secs(5);

/// The arguments.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  brigade poll
  brigade poll --prefix 2026/11/ --max-objects 100
  brigade poll --dry-run --explain
  brigade poll --json | jq -r 'select(.settled.settlement == \"SETTLEMENT_FAILED\") | .settled.object.name'

Exit codes: 0 when the inbox was scanned to its end, or --max-objects were passed on; 1 when files are left, or all failed.")]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag")]
pub struct Args {
    #[command(flatten)]
    target: TargetArgs,
    /// Only files whose name below the inbox begins with this
    #[arg(long, value_name = "PREFIX", default_value = "", hide_default_value = true)]
    prefix: String,
    /// Pass at most this many files to the worker [default: the poller's own limit]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    max_objects: Option<i64>,
    /// Show which files would be passed to the worker; move nothing
    #[arg(long)]
    dry_run: bool,
    /// Show the files that a filter leaves out too, and why
    #[arg(long)]
    explain: bool,
    /// Ask the worker although the inbox's brake is on, and lift it
    #[arg(long)]
    ignore_brake: bool,
    /// Poll again and again until Ctrl-C
    #[arg(long, conflicts_with = "dry_run")]
    watch: bool,
    /// Print one JSON object a line on stdout, as when stdout is no terminal
    #[arg(long)]
    json: bool,
}

/// Polls, and shows what happens.
pub async fn run(args: &Args, problems: Problems) -> Result<Exit, Failure> {
    telemetry::init(Format::for_stderr(), "warn");
    let target = args.target.resolve(problems)?;
    let mut request = PollRequest {
        prefix: args.prefix.clone(),
        max_objects: args.max_objects.unwrap_or(0),
        dry_run: args.dry_run,
        explain: args.explain,
        ignore_brake: args.ignore_brake,
        relist: args.watch,
    };
    let mut poll = Poll::new(&target, Show::on_stdout(args.json))?;
    loop {
        let ended = poll.run(&request).await;
        if !args.watch || poll.shutdown.is_cancelled() {
            return end(ended, &target);
        }
        if let Err(stop) = ended {
            return end(Err(stop), &target);
        }
        tokio::select! {
            () = poll.shutdown.cancelled() => return Ok(Exit::Done),
            () = tokio::time::sleep(PAUSE) => {}
        }
        // The first poll has lifted it. What it shows from now on is news.
        (request.ignore_brake, request.explain) = (false, false);
    }
}

/// One poll after another command, which is shown as text unless that command prints JSON.
pub async fn follow(target: &Target, request: PollRequest, json: bool) -> Result<Exit, Failure> {
    end(Poll::new(target, Show::text_unless(json))?.run(&request).await, target)
}

/// What polls and shows.
struct Poll {
    client: PollerClient,
    inbox: InboxClient,
    show: Show,
    screen: Screen,
    shutdown: CancellationToken,
    /// What the last poll found and why it ended, to say it once: --watch polls every few seconds.
    last: Option<(Option<PollCounts>, i32, String)>,
}

impl Drop for Poll {
    fn drop(&mut self) {
        self.screen.end();
    }
}

// === impl Poll ===

impl Poll {
    fn new(target: &Target, show: Show) -> Result<Self, Failure> {
        Ok(Self {
            client: target.poller_client()?,
            inbox: target.inbox_client()?,
            show,
            screen: Screen::new(show != Show::Json && io::stdout().is_terminal()),
            shutdown: shutdown::signal(),
            last: None,
        })
    }

    async fn run(&mut self, request: &PollRequest) -> Result<Exit, Stop> {
        self.screen.update(|line| *line = Progress::with_bar());
        self.count(request).await;
        let mut events = self.client.poll(request.clone()).await?;
        loop {
            let message = tokio::select! {
                message = events.message() => message?,
                () = self.shutdown.cancelled() => {
                    self.screen.end();
                    note("the poll is cancelled; the poller moves what is in flight and passes on nothing more");
                    return Ok(Exit::Partly);
                }
            };
            let Some(response) = message else {
                let message = "the poll broke off: its last event did not come";
                return Err(Failure::unavailable(message, "poll again").into());
            };
            self.event(&response, request)?;
            if let Some(Event::Finished(finished)) = response.event {
                return Ok(exit(&finished, request));
            }
        }
    }

    /// How many wait, where that can be said: the account may not be a reader.
    async fn count(&self, request: &PollRequest) {
        if !self.screen.is_live() || !request.prefix.is_empty() || request.dry_run {
            return;
        }
        if let Ok(status) = self.inbox.status(GetStatusRequest::default()).await {
            let waiting = status.waiting.unwrap_or_default();
            let most = if request.max_objects > 0 { request.max_objects } else { i64::MAX };
            let is_more = waiting.at_least && waiting.value < most;
            let left = u64::try_from(waiting.value.min(most)).unwrap_or(0);
            self.screen.update(|line| line.expect(left, is_more));
        }
    }

    fn event(&mut self, response: &PollResponse, request: &PollRequest) -> Result<(), Stop> {
        let Show::Table { colour } = self.show else {
            let json = serde_json::to_string(response).map_err(io::Error::other)?;
            return Ok(writeln!(self.screen, "{json}")?);
        };
        match &response.event {
            Some(Event::Settled(settled)) => {
                self.screen.update(|line| line.settled(settled, Instant::now()));
                if is_shown(settled) {
                    writeln!(self.screen, "{}", row(settled, colour, columns()))?;
                }
            }
            Some(Event::Skipped(skipped)) => {
                writeln!(self.screen, "{}", left_out(skipped, columns()))?;
            }
            Some(Event::Finished(finished)) => {
                let holder = finished.holder.as_ref().map(|holder| holder.poll_id.clone());
                let this = Some((finished.counts, finished.reason, holder.unwrap_or_default()));
                let is_news = finished.counts.is_some_and(|c| c.found > 0) || this != self.last;
                self.last = this;
                if is_news {
                    writeln!(self.screen, "{}", summary(finished, request, columns()))?;
                }
            }
            Some(Event::Started(_)) | None => {}
        }
        Ok(())
    }
}

/// What went well is counted alone: a poll may settle a million.
fn is_shown(settled: &ObjectSettled) -> bool {
    use Settlement::{AlreadyEnqueued, Enqueued, Processed};
    !matches!(settled.settlement(), Processed | Enqueued | AlreadyEnqueued)
}

fn left_out(skipped: &ObjectSkipped, width: usize) -> String {
    let name = skipped.object.as_ref().map(|object| object.name.as_str()).unwrap_or_default();
    let filter = match skipped.filter() {
        Filter::Unspecified => "?".to_owned(),
        filter => filter.as_str_name().trim_start_matches("FILTER_").to_lowercase(),
    };
    let line = format!("  left out   {}  {filter}: {}", escape(name), escape(&skipped.detail));
    wrap(&line, 0, 13, width)
}

/// The counts, and why it ended when that is not the end of the inbox. What did not begin has no counts.
fn summary(finished: &PollFinished, request: &PollRequest, width: usize) -> String {
    if finished.reason() == EndReason::AlreadyRunning {
        return wrap(&already_running(finished), 0, 0, width);
    }
    let counts = finished.counts.unwrap_or_default();
    let mut parts = vec![if request.dry_run {
        format!("{} to pass to the worker", number(counts.found))
    } else {
        let [found, processed, failed] =
            [counts.found, counts.processed, counts.failed].map(number);
        format!("{found} found, {processed} processed, {failed} failed")
    }];
    for (count, what) in [
        (counts.retry, "left for a later poll"),
        (counts.superseded, "replaced or removed meanwhile"),
        (counts.held, "held"),
        (counts.enqueued, "enqueued"),
        (counts.skipped, "left out"),
    ] {
        if count > 0 {
            parts.push(format!("{} {what}", number(count)));
        }
    }
    match why(finished) {
        Some(why) => {
            let lines = why.lines().map(|line| wrap(line, 0, 2, width)).collect::<Vec<_>>();
            format!("{}\n{}", parts.join(", "), lines.join("\n"))
        }
        None => parts.join(", "),
    }
}

fn already_running(finished: &PollFinished) -> String {
    let LeaseHolder { poll_id, since, until, .. } = finished.holder.clone().unwrap_or_default();
    format!(
        "nothing was done: poll {poll_id} has the inbox since {}; its lease ends at {} unless it is renewed; brigade watch \
         shows what it does",
        exact(since.as_ref()),
        exact(until.as_ref())
    )
}

fn why(finished: &PollFinished) -> Option<String> {
    Some(match finished.reason() {
        EndReason::Complete | EndReason::Unspecified | EndReason::AlreadyRunning => return None,
        EndReason::MaxObjects => "the poll's limit of files is reached, and more are there".into(),
        EndReason::Deadline => {
            "the poll's time is over, and more files are there; poll again".into()
        }
        EndReason::Shutdown => "the poller shut down; poll again".into(),
        EndReason::LeaseLost => "another poll has taken over the inbox".into(),
        EndReason::Cancelled => "the poll was cancelled".into(),
        EndReason::Brake => {
            let brake: Brake = finished.brake.clone().unwrap_or_default();
            format!(
                "the brake is on: the worker refused many different files in a row and accepted none. It is asked again at {}\n{}\n  \
                 fix: correct the worker, then brigade poll --ignore-brake",
                exact(brake.until.as_ref()),
                reasons(&brake)
            )
        }
    })
}

/// Whether it did what was asked.
fn exit(finished: &PollFinished, request: &PollRequest) -> Exit {
    let counts = finished.counts.unwrap_or_default();
    let is_to_its_end = match finished.reason() {
        EndReason::Complete => true,
        EndReason::MaxObjects => request.max_objects > 0,
        _ => false,
    };
    let all_failed = counts.failed > 0 && counts.processed == 0;
    let has_left = counts.retry + counts.held > 0;
    if is_to_its_end && !all_failed && !has_left { Exit::Done } else { Exit::Partly }
}
