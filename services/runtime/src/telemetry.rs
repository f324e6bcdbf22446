//! Logs: to stderr, for people on a terminal and as JSON for Cloud Logging otherwise.

use std::io::IsTerminal as _;

use tracing::{Event, Level, Subscriber, field::Visit};
use tracing_subscriber::{
    EnvFilter,
    fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields, MakeWriter, format::Writer},
    layer::SubscriberExt as _,
    registry::LookupSpan,
    util::SubscriberInitExt as _,
};

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One line for people.
    Human,
    /// One JSON object a line, with Cloud Logging's `severity`, `message` and `time`.
    Json,
}

impl Format {
    /// For people on a terminal, JSON otherwise.
    pub fn for_stderr() -> Self {
        if std::io::stderr().is_terminal() {
            Self::Human
        } else {
            Self::Json
        }
    }
}

/// Sends logs to stderr, filtered by `RUST_LOG`, or by `default` when that is not set. A second call changes nothing.
pub fn init(format: Format, default: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    // A test harness may have set one before.
    let _ = match format {
        Format::Human => tracing_subscriber::registry()
            .with(filter)
            .with(
                tracing_subscriber::fmt::layer()
                    .with_writer(std::io::stderr)
                    .with_target(false),
            )
            .try_init(),
        Format::Json => tracing_subscriber::registry()
            .with(filter)
            .with(json_layer(std::io::stderr))
            .try_init(),
    };
}

fn json_layer<S, W>(writer: W) -> impl tracing_subscriber::Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    tracing_subscriber::fmt::layer()
        .event_format(CloudLogging)
        .with_ansi(false)
        .with_writer(writer)
}

/// Cloud Logging's structured format: <https://cloud.google.com/logging/docs/structured-logging>.
struct CloudLogging;

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
    ) -> std::fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut line = fields.0;
        line.insert(
            "severity".into(),
            severity(*event.metadata().level()).into(),
        );
        line.insert("target".into(), event.metadata().target().into());
        if let Some(span) = context.lookup_current() {
            let shown = span
                .extensions()
                .get::<FormattedFields<N>>()
                .map(|fields| format!("{}{{{fields}}}", span.name()));
            line.insert(
                "span".into(),
                shown.unwrap_or_else(|| span.name().to_owned()).into(),
            );
        }
        writeln!(writer, "{}", serde_json::Value::Object(line))
    }
}

fn severity(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARNING",
        Level::INFO => "INFO",
        Level::DEBUG | Level::TRACE => "DEBUG",
    }
}

#[derive(Default)]
struct Fields(serde_json::Map<String, serde_json::Value>);

impl Fields {
    fn put(&mut self, field: &tracing::field::Field, value: impl Into<serde_json::Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
    fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
        self.put(field, value);
    }
    fn record_i64(&mut self, field: &tracing::field::Field, value: i64) {
        self.put(field, value);
    }
    fn record_u64(&mut self, field: &tracing::field::Field, value: u64) {
        self.put(field, value);
    }
    fn record_bool(&mut self, field: &tracing::field::Field, value: bool) {
        self.put(field, value);
    }
    fn record_f64(&mut self, field: &tracing::field::Field, value: f64) {
        self.put(field, value);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_is_one_json_object_whatever_a_name_holds() {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let subscriber = tracing_subscriber::registry().with(json_layer(move || writer.clone()));
        tracing::subscriber::with_default(subscriber, || {
            let _span = tracing::info_span!("poll", id = "7").entered();
            tracing::warn!(object = "a\n\u{1b}[31m\"b", count = 3, "object settled");
        });
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["severity"], "WARNING");
        assert_eq!(line["message"], "object settled");
        assert_eq!(line["object"], "a\n\u{1b}[31m\"b");
        assert_eq!(line["count"], 3);
        assert!(
            line["span"].as_str().unwrap().starts_with("poll{id="),
            "{line}"
        );
    }
}
