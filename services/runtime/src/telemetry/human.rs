//! Fields for people: `message name=value`, with every value escaped.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing_subscriber::{
    field::RecordFields,
    fmt::{FormatFields, format::Writer},
};

use super::escape::escaped;

/// Formats the fields of events and spans.
pub(super) struct Fields;

impl<'w> FormatFields<'w> for Fields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut line = Line {
            writer,
            separator: "",
            written: Ok(()),
        };
        fields.record(&mut line);
        line.written
    }
}

struct Line<'w> {
    writer: Writer<'w>,
    separator: &'static str,
    written: fmt::Result,
}

impl Visit for Line<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.record_debug(field, &format_args!("{value}"));
        } else {
            self.record_debug(field, &value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let shown = escaped(format_args!("{value:?}"));
        let separator = std::mem::replace(&mut self.separator, " ");
        self.written = self.written.and_then(|()| {
            if field.name() == "message" {
                write!(self.writer, "{separator}{shown}")
            } else {
                write!(self.writer, "{separator}{}={shown}", field.name())
            }
        });
    }
}
