//! `brigade watch`: what one instance of a poller does, as it happens.

mod board;
mod follow;
mod screen;

use std::time::{Duration, Instant};

use brigade_proto::v1::watch_events_response::Event;
use brigade_runtime::{
    exit::{Exit, Failure},
    settings::Problems,
    shutdown,
    telemetry::{self, Format},
};
use tokio::{
    sync::mpsc::Receiver,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use self::{board::Board, follow::Update, screen::Screen};
use super::out::{Out, Stop, end, note};
use crate::target::TargetArgs;

const EXAMPLES: &str = "Examples:
  brigade watch
  brigade watch --json | jq -r '.poll.settled.object.name // empty'";

/// The screen is repainted so often at most, and each second for the ages on it.
const REPAINT: Duration = Duration::from_millis(100);

/// The arguments.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    target: TargetArgs,
    /// Print one JSON object a line, as when stdout is no terminal
    #[arg(long)]
    json: bool,
}

/// Shows events until a signal ends it. A connection that breaks off is made again.
pub async fn run(args: &Args, problems: Problems) -> Result<Exit, Failure> {
    telemetry::init(Format::for_stderr(), "error");
    let target = args.target.resolve(problems)?;
    let client = target.inbox_client()?;
    let shutdown = shutdown::signal();
    let updates = follow::follow(client);
    let mut out = Out::stdout();
    let ended = if args.json || !out.is_terminal() {
        lines(updates, &mut out, &shutdown).await
    } else {
        live(updates, &mut out, &target.what, &shutdown).await
    };
    end(ended.map(|()| Exit::Done), &target)
}

/// One event a line. That the instance is alive is no event.
async fn lines(
    mut updates: Receiver<Update>,
    out: &mut Out,
    shutdown: &CancellationToken,
) -> Result<(), Stop> {
    loop {
        let update = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            update = updates.recv() => update,
        };
        match update {
            Some(Update::Event(response)) => {
                if !matches!(response.event, Some(Event::Heartbeat(_)) | None) {
                    out.json(&*response)?;
                    out.flush()?;
                }
            }
            Some(Update::Lost(why)) => note(&format!("connection lost, and made again: {why}")),
            Some(Update::Ended(status)) => return Err(status.into()),
            None => return Ok(()),
        }
    }
}

/// A table that is repainted. What it has come to stays on the terminal at its end.
async fn live(
    mut updates: Receiver<Update>,
    out: &mut Out,
    what: &str,
    shutdown: &CancellationToken,
) -> Result<(), Stop> {
    let mut board = Board::new(what.to_owned(), Instant::now());
    // An error before the first event is shown as that of any other command.
    let first = tokio::select! {
        () = shutdown.cancelled() => return Ok(()),
        update = updates.recv() => update,
    };
    let shown = match first {
        Some(Update::Ended(status)) => Err(status.into()),
        None => Ok(()),
        Some(update) => {
            board.update(update, Instant::now());
            paint(&mut board, updates, out, shutdown).await
        }
    };
    if shown.is_ok() {
        out.line(&board.summary(Instant::now()))?;
        out.flush()?;
    }
    shown
}

async fn paint(
    board: &mut Board,
    mut updates: Receiver<Update>,
    out: &mut Out,
    shutdown: &CancellationToken,
) -> Result<(), Stop> {
    let mut screen = Screen::enter()?;
    let mut ticks = interval(REPAINT);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut is_new, mut painted) = (true, Instant::now());
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return Ok(()),
            now = ticks.tick() => {
                let now = now.into_std();
                if is_new || now.duration_since(painted) >= Duration::from_secs(1) {
                    screen.paint(|columns, rows| board.lines(columns, rows, now, out))?;
                    (is_new, painted) = (false, now);
                }
            }
            update = updates.recv() => match update {
                Some(Update::Ended(status)) => return Err(status.into()),
                Some(update) => {
                    board.update(update, Instant::now());
                    is_new = true;
                }
                None => return Ok(()),
            },
        }
    }
}
