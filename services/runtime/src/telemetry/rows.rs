//! Rows that stand beside the table of `brigade dev`.

use std::fmt;

use serde_json::Value;
use tracing::{Event, Subscriber};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

use super::{PROGRAM, cloud::Line};

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
        let Line(line) = Line::from_event(event);
        let field = |name| line.get(name).and_then(Value::as_str).unwrap_or_default();
        let object = field("object");
        // The key is BUCKET/NAME#GENERATION.
        let (_, name) = object.split_once('/').unwrap_or(("", object));
        let (name, _) = name.rsplit_once('#').unwrap_or((name, ""));
        writeln!(writer, "  {:<10} {name:<32} {:>8}  {}", field("stream"), "", field("message"))
    }
}
