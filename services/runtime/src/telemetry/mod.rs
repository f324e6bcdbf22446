//! Logs: to stderr, for people on a terminal and as JSON for Cloud Logging otherwise.
//!
//! An attacker may choose what is logged, such as object names. Every value is escaped, so that none can end a line, move a
//! terminal's cursor or reverse its text, also where a tool prints the decoded JSON: callers escape nothing.

mod buffer;
mod cloud;
mod escape;
mod limit;
pub(crate) mod project;
mod rows;

use std::{
    fmt::Debug,
    io::{IsTerminal as _, Write as _},
};

use tracing::{Subscriber, field::Field};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    field::MakeExt as _,
    filter::{LevelFilter, ParseError, Targets},
    fmt::{
        self, FormatFields, MakeWriter,
        format::{Writer, debug_fn},
    },
    layer::{Layered, SubscriberExt as _},
    util::SubscriberInitExt as _,
};

pub use self::{buffer::Buffer, limit::LineLimit};
use self::{
    cloud::{CloudLogging, LOG},
    escape::escaped,
    rows::Rows,
};
use crate::settings::names::RUST_LOG;

/// The target of the lines that programs write: `RUST_LOG=program=info` shows them.
pub const PROGRAM: &str = "program";

/// What the targets of OpenTelemetry's crates begin with.
const EXPORTERS: &str = "opentelemetry";

/// To the beginning of the line, which is empty then.
const CLEAR_LINE: &[u8] = b"\r\x1b[K";

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One line for people.
    Human,
    /// The same, but what a program writes is a row that fits the table of `brigade dev`.
    Rows,
    /// One JSON object a line, with Cloud Logging's `severity`, `message` and `time`.
    Json,
}

impl Format {
    /// For people on a terminal, JSON otherwise.
    pub fn for_stderr() -> Self {
        if std::io::stderr().is_terminal() { Self::Human } else { Self::Json }
    }
}

/// Sends logs to stderr, filtered by `RUST_LOG`, or by `default` when that is not set or cannot be used. A second call
/// changes nothing.
pub fn init(format: Format, default: &str) {
    project::set(&std::env::var(project::GOOGLE_CLOUD_PROJECT).unwrap_or_default());
    let given = std::env::var(RUST_LOG).unwrap_or_default();
    let chosen = if given.trim().is_empty() { default } else { &given };
    let (filter, wrong) = match filter(chosen) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new(default).boxed(), Some(error)),
    };
    // A test harness may have set one before.
    let is_terminal = std::io::stderr().is_terminal();
    let writer = move || {
        let mut stderr = std::io::stderr();
        if is_terminal {
            // A command may have a line there that shows how far it is.
            let _ = stderr.write_all(CLEAR_LINE);
        }
        stderr
    };
    let _ = lines(format, filter, writer).try_init();
    if let Some(error) = wrong {
        tracing::warn!(given, %error, "{RUST_LOG} is not a filter; expected one such as info,brigade_poller=debug; using {default}");
    }
}

/// The same lines for another writer, a [`Buffer`] for instance. A filter is what `RUST_LOG` may hold.
pub fn subscriber<W>(format: Format, filter: &str, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = self::filter(filter).unwrap_or_else(|_| EnvFilter::new(filter).boxed());
    lines(format, filter, writer)
}

/// What lines are written to, without a filter yet.
type Lines = Layered<Box<dyn Layer<Registry> + Send + Sync>, Registry>;
type Filter = Box<dyn Layer<Lines> + Send + Sync>;

/// A filter of targets and levels, or what else `RUST_LOG` may hold: spans and their fields. The first kind asks for nothing when a
/// span is entered, which every call does many times.
fn filter(text: &str) -> Result<Filter, ParseError> {
    // The exporters' own lines come with each export that fails; ours tell it once.
    let quiet = !text.contains(EXPORTERS);
    if !text.contains(['[', '{'])
        && let Ok(targets) = text.parse::<Targets>()
    {
        let targets =
            if quiet { targets.with_target(EXPORTERS, LevelFilter::OFF) } else { targets };
        return Ok(targets.boxed());
    }
    let off = if quiet { format!(",{EXPORTERS}=off") } else { String::new() };
    Ok(EnvFilter::try_new(format!("{text}{off}"))?.boxed())
}

/// Fields for people: `message name=value`, with every value escaped.
fn fields() -> impl for<'w> FormatFields<'w> + Send + Sync + 'static {
    let field = |writer: &mut Writer<'_>, field: &Field, value: &dyn Debug| {
        let text = format!("{value:?}");
        let shown = escaped(field.name(), &text);
        match field.name() {
            "message" => write!(writer, "{shown}"),
            name if name.starts_with(LOG) => Ok(()),
            name => write!(writer, "{name}={shown}"),
        }
    };
    debug_fn(field).display_messages().delimited(" ")
}

fn lines<W>(format: Format, filter: Filter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let layer = match format {
        Format::Human => fmt::layer()
            .fmt_fields(fields())
            .with_target(false)
            .with_ansi(std::io::stderr().is_terminal())
            .with_writer(writer)
            .boxed(),
        Format::Rows => fmt::layer()
            .event_format(Rows(fmt::format().with_target(false)))
            .fmt_fields(fields())
            .with_ansi(std::io::stderr().is_terminal())
            .with_writer(writer)
            .boxed(),
        Format::Json => fmt::layer()
            .event_format(CloudLogging)
            .fmt_fields(fields())
            .with_ansi(false)
            .with_writer(writer)
            .boxed(),
    };
    Registry::default().with(layer).with(filter)
}

#[cfg(test)]
mod tests;
