//! `brigade status`: how much waits, is at work and was settled, and what stops the poller.

use brigade_proto::v1::{GetStatusRequest, GetStatusResponse, InboxObject, LastPoll};
use brigade_runtime::{
    exit::{Exit, Failure},
    settings::Problems,
    telemetry::{self, Format},
};
use brigade_storage::object::escape;
use jiff::Timestamp;
use owo_colors::Style;

use super::{
    out::{Out, Stop, end, object},
    parse::time,
    text::{self, ago, count, duration, number, span, to_proto},
};
use crate::target::TargetArgs;

const EXAMPLES: &str = "Examples:
  brigade status
  brigade status --poller https://poller-abc.a.run.app --since 12h
  brigade status --json | jq .waiting.value";

/// The arguments.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    target: TargetArgs,
    /// Count processed and failed objects since this time: 2026-11-24T03:00:00Z, or how long ago [default: 24h]
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Timestamp>,
    /// End the counts of each place after so many objects [default: 10000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..=100_000))]
    limit: Option<i64>,
    /// Print the poller's answer as JSON
    #[arg(long)]
    json: bool,
}

/// One line about one thing: its label, what is to be said, and its colour.
type Row = (&'static str, String, Style);

/// Prints the status of one inbox.
pub async fn run(args: &Args, problems: Problems) -> Result<Exit, Failure> {
    telemetry::init(Format::for_stderr(), "warn");
    let target = args.target.resolve(problems)?;
    let client = target.inbox_client()?;
    let request =
        GetStatusRequest { since: args.since.map(to_proto), limit: args.limit.unwrap_or_default() };
    let status = client.status(request).await.map_err(Stop::from);
    let printed = status.and_then(|status| print(&mut Out::stdout(), &status, args.json));
    end(printed, &target)
}

fn print(out: &mut Out, status: &GetStatusResponse, json: bool) -> Result<Exit, Stop> {
    if json {
        out.json(status)?;
    } else {
        for (label, text, style) in rows(status, Timestamp::now()) {
            let text = out.styled(&text, style);
            out.line(&format!("{label:<12}{text}"))?;
        }
    }
    out.flush()?;
    Ok(Exit::Done)
}

fn rows(status: &GetStatusResponse, now: Timestamp) -> Vec<Row> {
    let plain = |label, text| (label, text, Style::new());
    let mut rows = vec![
        plain("inbox", escape(&status.inbox).to_string()),
        plain("waiting", waiting(status, now)),
        plain("retrying", retrying(status, now)),
        plain("in flight", in_flight(status)),
    ];
    if status.left_out.is_some_and(|count| count.value > 0) {
        let text = format!("{} by the poller's filters", count(status.left_out.as_ref()));
        rows.push(plain("left out", text));
    }
    let window = text::time(status.since.as_ref())
        .map(|since| format!(" in {}", span(text::since(since, now))))
        .unwrap_or_default();
    rows.push(plain("processed", format!("{}{window}", count(status.processed.as_ref()))));
    let failed = format!("{}{window}", count(status.failed.as_ref()));
    let has_failed = status.failed.is_some_and(|count| count.value > 0);
    rows.push(if has_failed {
        ("failed", format!("{failed}; brigade failed --group shows why"), Style::new().red())
    } else {
        plain("failed", failed)
    });
    rows.extend(stopped(status, now));
    for holder in &status.holders {
        let prefix = match &*holder.prefix {
            "" => String::new(),
            prefix => format!(" of {}", escape(prefix)),
        };
        let since = ago(holder.since.as_ref(), now);
        rows.push(plain("lease", format!("poll {}{prefix}, since {since}", holder.poll_id)));
    }
    rows.push(plain(
        "last poll",
        status.last_poll.as_ref().map_or("none".into(), |poll| last(poll, now)),
    ));
    let started = ago(status.instance_start_time.as_ref(), now);
    let text = format!("started {started}; in flight and last poll are of this instance alone");
    rows.push(("instance", text, Style::new().dimmed()));
    rows
}

/// The name below the inbox.
fn name(info: &InboxObject) -> String {
    escape(&info.path).to_string()
}

fn waiting(status: &GetStatusResponse, now: Timestamp) -> String {
    let oldest = status.oldest.as_ref().and_then(|oldest| {
        let created = text::time(object(oldest).create_time.as_ref())?;
        Some(format!(", oldest {} {}", span(text::since(created, now)), name(oldest)))
    });
    format!("{}{}", count(status.waiting.as_ref()), oldest.unwrap_or_default())
}

fn retrying(status: &GetStatusResponse, now: Timestamp) -> String {
    let next = text::time(status.next_retry_time.as_ref());
    let next = next.map(|next| format!(", next in {}", span(text::since(now, next))));
    format!("{}{}", count(status.retrying.as_ref()), next.unwrap_or_default())
}

fn in_flight(status: &GetStatusResponse) -> String {
    let longest = status.longest.as_ref().map(|longest| {
        format!(", longest {} {}", span(duration(longest.in_flight.as_ref())), name(longest))
    });
    format!(
        "{} of {}{}",
        number(status.in_flight),
        number(status.concurrency),
        longest.unwrap_or_default()
    )
}

/// What keeps objects from the worker.
fn stopped(status: &GetStatusResponse, now: Timestamp) -> Vec<Row> {
    let red = Style::new().red();
    let mut rows = Vec::new();
    if let Some(since) = text::time(status.breaker_since.as_ref()) {
        let since = span(text::since(since, now));
        let text = format!(
            "open for {since}: calls of the worker fail; check that it runs, and WORKER_URL"
        );
        rows.push(("breaker", text, red));
    }
    if let Some(brake) = &status.brake {
        let next = text::time(brake.until.as_ref()).map(|until| span(text::since(now, until)));
        let text = format!(
            "on: the worker refused many objects in a row; {} are tried in {}; brigade poll --ignore-brake lifts it",
            brake.probe,
            next.unwrap_or_default()
        );
        rows.push(("brake", text, red));
        rows.extend(brake.reasons.iter().map(|reason| {
            let example = escape(&reason.example);
            ("", format!("{} × {}, such as {example}", reason.count, escape(&reason.reason)), red)
        }));
    }
    rows
}

/// `3m ago: complete, 12 processed, 1 failed`.
fn last(poll: &LastPoll, now: Timestamp) -> String {
    let when = ago(poll.end_time.as_ref(), now);
    let Some(finished) = &poll.finished else {
        return format!("{when}: {}", escape(&poll.error));
    };
    let reason = text::reason(finished);
    let counts = finished.counts.unwrap_or_default();
    let of = |count: i64, what: &str| (count > 0).then(|| format!(", {} {what}", number(count)));
    let counts = [
        of(counts.processed, "processed"),
        of(counts.failed, "failed"),
        of(counts.retry, "left for later"),
        of(counts.held, "held"),
        of(counts.enqueued, "enqueued"),
    ];
    let counts: String = counts.into_iter().flatten().collect();
    format!("{when}: {reason}{counts}")
}
