//! Comma-separated values as RFC 4180 has them, but for the line ends: they are those of this system's tools.

use brigade_proto::v1::InboxObject;

use crate::text::{exact, uri};

/// The first record of failed objects.
pub const FIELDS: [&str; 12] = [
    "name",
    "failed_at",
    "kind",
    "code",
    "exit",
    "attempts",
    "reason",
    "reason_group",
    "size",
    "generation",
    "source",
    "uri",
];

/// A failed object's record.
pub fn fields(info: &InboxObject) -> [String; 12] {
    let object = info.object.clone().unwrap_or_default();
    [
        info.path.clone(),
        exact(info.settle_time.as_ref()),
        info.kind.clone(),
        info.code.clone(),
        info.exit.clone(),
        info.attempts.to_string(),
        info.reason.clone(),
        info.reason_group.clone(),
        object.size.to_string(),
        object.generation.to_string(),
        info.source.clone(),
        uri(&object),
    ]
}

/// One record. A field is exact, but for formulas: it is in quotes where a reader would take it for something else.
pub fn record<S: AsRef<str>>(fields: impl IntoIterator<Item = S>) -> String {
    let fields: Vec<_> = fields.into_iter().map(|field| quoted(field.as_ref())).collect();
    fields.join(",")
}

/// A spreadsheet runs what begins so as a formula, and uploaders choose names. It takes one after an apostrophe as text. The list is
/// OWASP's: <https://owasp.org/www-community/attacks/CSV_Injection>.
const FORMULA: [char; 11] =
    ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

fn quoted(field: &str) -> String {
    if field.starts_with(FORMULA) {
        return format!("\"'{}\"", field.replace('"', "\"\""));
    }
    let is_plain = |c: char| !matches!(c, ',' | '"' | '\n' | '\r');
    if field.chars().all(is_plain) && field.trim() == field {
        return field.to_owned();
    }
    format!("\"{}\"", field.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reader_would_misread_is_quoted() {
        let fields = ["a", "b,c", "say \"no\"", "two\nlines", " edge", ""];
        let record = record(fields);
        assert_eq!(record, "a,\"b,c\",\"say \"\"no\"\"\",\"two\nlines\",\" edge\",");
    }

    #[test]
    fn no_field_is_a_formula() {
        let fields = ["=HYPERLINK(\"//x\")", "+1", "-1", "@x", "\t=1", "\r=1", "\u{ff1d}1", "a=1"];
        let record = record(fields);
        assert_eq!(
            record,
            "\"'=HYPERLINK(\"\"//x\"\")\",\"'+1\",\"'-1\",\"'@x\",\"'\t=1\",\"'\r=1\",\"'\u{ff1d}1\",a=1"
        );
    }
}
