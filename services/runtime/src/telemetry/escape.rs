//! Escapes characters that act on the terminal or page that shows them.

use std::fmt;

/// Controls (C1 ones are ANSI escapes too), line and paragraph separators, invisible characters, and those that change the direction
/// of text (UAX #9). Not the two joiners, U+200C and U+200D: words and emoji are spelt with them.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A value as it displays, with each such character written as Rust writes it.
pub(super) fn escaped(value: fmt::Arguments<'_>) -> String {
    let text = value.to_string();
    if !text.contains(acts) {
        return text;
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if acts(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}
