//! Rows that stand beside the table of `brigade dev`.

use std::fmt;

use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

use super::{PROGRAM, escape::escaped};

/// A line that a program wrote as a row with the name of its object; everything else as the inner format has it.
pub(super) struct Rows<F>(pub(super) F);

impl<S, N, F> FormatEvent<S, N> for Rows<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if event.metadata().target() != PROGRAM {
            return self.0.format_event(context, writer, event);
        }
        let mut row = Row::default();
        event.record(&mut row);
        let Row { object, stream, message } = &row;
        // The key is BUCKET/NAME#GENERATION.
        let (_, name) = object.split_once('/').unwrap_or(("", object));
        let (name, _) = name.rsplit_once('#').unwrap_or((name, ""));
        writeln!(writer, "  {stream:<10} {name:<32} {:>8}  {message}", "")
    }
}

/// What a program's line has, escaped.
#[derive(Default)]
struct Row {
    object: String,
    stream: String,
    message: String,
}

impl Visit for Row {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let place = match field.name() {
            "object" => &mut self.object,
            "stream" => &mut self.stream,
            "message" => &mut self.message,
            _ => return,
        };
        *place = escaped(field.name(), value).into_owned();
    }
}
