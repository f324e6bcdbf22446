//! Text that may be written on an object: short, and on one line.

use std::fmt::Write as _;

use brigade_storage::{naming::percent_encoded, provenance::decoded};

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

/// The URIs that [`outputs_in`] wrote, without the number of those that were left out.
pub(crate) fn outputs_from(written: &str) -> Vec<String> {
    let is_uri = |part: &&str| !part.starts_with('+');
    written.split_whitespace().take_while(is_uri).filter_map(decoded).collect()
}

fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_read_as_they_were_named() {
        let named = ["gs://b/a b%20.json".to_owned(), "gs://b/é\n".to_owned(), "+1".to_owned()];
        assert_eq!(outputs_from(&outputs_in(&named[..2])), named[..2]);
        let many = vec!["gs://b/x".repeat(40); 100];
        let read = outputs_from(&outputs_in(&many));
        assert!(read.len() < 10 && read.iter().all(|uri| *uri == many[0]), "{}", read.len());
        assert_eq!(outputs_from(""), [""; 0]);
    }
}
