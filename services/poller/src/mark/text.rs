//! Text that may be written on an object: short, and on one line.

use std::fmt::Write as _;

use brigade_storage::naming::percent_encoded;

/// The longest reason, in bytes.
pub(super) const MAX_REASON: usize = 1024;

/// The longest list of outputs, in bytes, without the number of those that are left out.
const MAX_OUTPUTS: usize = 2 * 1024;

/// One printable line of at most `max` bytes; what a reader could mistake for formatting becomes a space.
pub(super) fn printable(text: &str, max: usize) -> String {
    let line = text.trim().replace(is_unprintable, " ");
    line[..line.floor_char_boundary(max)].trim_end().to_owned()
}

/// The URIs of outputs, separated by blanks; the blanks and controls within them, and `%`, are percent-encoded.
pub(super) fn outputs_in(uris: &[String]) -> String {
    let mut text = String::new();
    for (number, uri) in uris.iter().enumerate() {
        let uri = percent_encoded(uri, |c| c.is_whitespace() || is_unprintable(c));
        let separator = if number == 0 { "" } else { " " };
        if text.len() + separator.len() + uri.len() > MAX_OUTPUTS {
            // Writing to a string cannot fail.
            let _ = write!(text, "{separator}+{} more", uris.len() - number);
            break;
        }
        text.push_str(separator);
        text.push_str(&uri);
    }
    text
}

fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}
