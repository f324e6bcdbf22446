//! Makes characters visible that would do something instead.

use std::fmt::Write as _;

/// Whether a character acts on what shows it: control characters (C1 ones are ANSI escapes too), line and paragraph
/// separators, those that hide, and those that turn the direction of text.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// For people: as Rust writes such a character.
pub(super) fn for_people(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if acts(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// For JSON that is already written: as JSON writes such a character, which leaves the JSON as it is. serde writes only
/// those below a blank so.
pub(super) fn in_json(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for c in json.chars() {
        if acts(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string does not fail.
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(c);
        }
    }
    shown
}
