//! Escapes characters that act on the terminal or page that shows them, and cuts what is too long for a log.

use std::borrow::Cow;

/// The most bytes of a message, which may be a line that a program wrote, and of all labels of an object together.
const MAX_MESSAGE: usize = 9 * 1_024;
/// The most bytes of any other value: the longest URI of an object, and a reason as an object's metadata holds it, are shorter.
const MAX_VALUE: usize = 2 * 1_024;

/// Controls (C1 ones are ANSI escapes too), line and paragraph separators, invisible characters, and those that change the direction
/// of text (UAX #9). Not the two joiners, U+200C and U+200D: words and emoji are spelt with them.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The value of a field as it displays, with each such character written as Rust writes it. A longer one is cut, and followed
/// by its length.
pub(super) fn escaped<'a>(field: &str, text: &'a str) -> Cow<'a, str> {
    let most = if matches!(field, "message" | "labels") { MAX_MESSAGE } else { MAX_VALUE };
    let kept = &text[..text.floor_char_boundary(most)];
    // Most values are such text, which is found out byte by byte.
    let is_plain = || text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if kept.len() == text.len() && (is_plain() || !text.contains(acts)) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(kept.len() + 32);
    for c in kept.chars() {
        if acts(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    if kept.len() < text.len() {
        shown.push_str("… (");
        shown.push_str(&text.len().to_string());
        shown.push_str(" bytes)");
    }
    Cow::Owned(shown)
}
