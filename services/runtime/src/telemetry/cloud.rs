//! Cloud Logging's structured format: <https://cloud.google.com/logging/docs/structured-logging>.

use std::{fmt, time::SystemTime};

use serde_json::{Map, Value};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields, format::Writer},
    registry::LookupSpan,
};

use super::escape::escaped;

/// What the fields of an event of the `log` crate begin with that this crate's macros did not write.
pub(super) const LOG: &str = "log.";
const LOG_TARGET: &str = "log.target";

/// One JSON object a line.
pub(super) struct CloudLogging;

impl<S, N> FormatEvent<S, N> for CloudLogging
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Line(mut line) = Line::from_event(event);
        let time = humantime::format_rfc3339_micros(SystemTime::now()).to_string();
        line.insert("time".into(), time.into());
        line.insert("severity".into(), severity(*event.metadata().level()).into());
        line.entry("target").or_insert_with(|| event.metadata().target().into());
        if let Some(spans) = spans(context) {
            line.insert("spans".into(), spans);
        }
        writeln!(writer, "{}", Value::Object(line))
    }
}

/// The spans around an event, from the outermost, each with its fields.
fn spans<S, N>(context: &FmtContext<'_, S, N>) -> Option<Value>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    let shown = context.event_scope()?.from_root().map(|span| {
        let extensions = span.extensions();
        match extensions.get::<FormattedFields<N>>() {
            Some(fields) if !fields.is_empty() => format!("{}{{{fields}}}", span.name()),
            _ => span.name().to_owned(),
        }
    });
    Some(shown.collect())
}

fn severity(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARNING",
        Level::INFO => "INFO",
        Level::DEBUG | Level::TRACE => "DEBUG",
    }
}

/// The fields of an event, escaped.
#[derive(Default)]
pub(super) struct Line(pub(super) Map<String, Value>);

impl Line {
    pub(super) fn from_event(event: &Event<'_>) -> Self {
        let mut line = Self::default();
        event.record(&mut line);
        line
    }

    /// An event of the `log` crate has its target in a field, and the file and line of the machine that built it.
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        let name = match field.name() {
            LOG_TARGET => "target",
            name if name.starts_with(LOG) => return,
            name => name,
        };
        self.0.insert(name.to_owned(), value.into());
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, escaped(field.name(), format_args!("{value:?}")));
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, escaped(field.name(), format_args!("{value}")));
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }
}
