//! Cloud Logging's structured format: <https://cloud.google.com/logging/docs/structured-logging>.

use std::{
    fmt::{self, Write as _},
    time::SystemTime,
};

use serde::Serialize;
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields, format::Writer},
    registry::LookupSpan,
};

use super::{escape::escaped, project};

/// What the fields of an event of the `log` crate begin with that this crate's macros did not write.
pub(super) const LOG: &str = "log.";
const LOG_TARGET: &str = "log.target";
/// What the fields of an event begin with that are in `httpRequest`.
const HTTP: &str = "http.";
/// Cloud Logging's names in it. It rejects the whole with any other, and a library may log a field `http.…` of its own.
const REQUEST: [&str; 5] = ["requestMethod", "requestUrl", "status", "userAgent", "remoteIp"];
/// What the lines have of their own: an event's field of such a name is left out, since a JSON object has each name once.
const OWN: [&str; 4] = ["time", "severity", "spans", "httpRequest"];
/// Room for most lines.
const USUAL: usize = 768;

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
        let mut line = Line::new();
        let _ = write!(line.scratch, "{}", humantime::format_rfc3339_micros(SystemTime::now()));
        line.put_scratch("time");
        line.put("severity", severity(*event.metadata().level()));
        event.record(&mut line);
        if !line.has_target {
            line.put("target", event.metadata().target());
        }
        if let Some(spans) = spans(context) {
            line.put("spans", &spans);
        }
        trace_fields(&mut line);
        writer.write_str(&line.end())
    }
}

/// The spans around an event, from the outermost, each with its fields.
fn spans<S, N>(context: &FmtContext<'_, S, N>) -> Option<Vec<String>>
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

/// A line that is being written, with every value escaped.
pub(super) struct Line {
    json: Vec<u8>,
    /// Its `httpRequest`, if it has one.
    request: Vec<u8>,
    /// A value as it displays.
    scratch: String,
    has_target: bool,
}

impl Line {
    fn new() -> Self {
        let (json, scratch) = (Vec::with_capacity(USUAL), String::with_capacity(USUAL / 4));
        Self { json, request: Vec::new(), scratch, has_target: false }
    }

    /// Writes a field. Its name is an identifier of the source, so it has nothing to escape but in JSON.
    pub(super) fn put(&mut self, name: &str, value: impl Serialize) {
        let (json, name) = match name.strip_prefix(HTTP) {
            Some(name) if REQUEST.contains(&name) => (&mut self.request, name),
            _ => (&mut self.json, name),
        };
        json.push(if json.is_empty() { b'{' } else { b',' });
        // Neither a vector nor any of these values refuses to be written.
        let _ = serde_json::to_writer(&mut *json, name);
        json.push(b':');
        let _ = serde_json::to_writer(json, &value);
    }

    fn put_scratch(&mut self, name: &str) {
        let scratch = std::mem::take(&mut self.scratch);
        self.put(name, &*escaped(name, &scratch));
        self.scratch = scratch;
        self.scratch.clear();
    }

    /// An event of the `log` crate has its target in a field, and the file and line of the machine that built it.
    fn name(&mut self, field: &Field) -> Option<&'static str> {
        match field.name() {
            LOG_TARGET | "target" if self.has_target => None,
            LOG_TARGET | "target" => {
                self.has_target = true;
                Some("target")
            }
            name if name.starts_with(LOG) || OWN.contains(&name) => None,
            name => Some(name),
        }
    }

    fn put_field(&mut self, field: &Field, value: impl Serialize) {
        if let Some(name) = self.name(field) {
            self.put(name, value);
        }
    }

    fn end(mut self) -> String {
        if !self.request.is_empty() {
            self.json.extend_from_slice(b",\"httpRequest\":");
            self.json.append(&mut self.request);
            self.json.push(b'}');
        }
        self.json.extend_from_slice(b"}\n");
        // It is UTF-8: nothing but JSON was written.
        String::from_utf8(self.json).unwrap_or_default()
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if let Some(name) = self.name(field) {
            let _ = write!(self.scratch, "{value:?}");
            self.put_scratch(name);
        }
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put_field(field, &*escaped(field.name(), value));
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put_field(field, value);
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put_field(field, value);
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put_field(field, value);
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put_field(field, value);
    }
}

/// The fields that join a line to its trace: <https://cloud.google.com/trace/docs/trace-log-integration>.
fn trace_fields(line: &mut Line) {
    let Some(span) = brigade_telemetry::current() else { return };
    let trace = match project::get() {
        Some(project) => format!("projects/{project}/traces/{}", span.trace_id()),
        None => span.trace_id().to_string(),
    };
    line.put("logging.googleapis.com/trace", trace);
    line.put("logging.googleapis.com/spanId", span.span_id().to_string());
    line.put("logging.googleapis.com/trace_sampled", span.is_sampled());
}
