//! Makes foreign text short and printable.

/// The longest beginning of `text` that has at most `max` bytes and ends at a character.
pub(crate) fn cut(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

/// What happened, and why, if that is known.
pub(crate) fn because(what: String, why: &str) -> String {
    if why.is_empty() { what } else { format!("{what}: {why}") }
}

/// Bytes of a reason that is followed by a fix: both must fit into a message of an answer.
const MAX_REASON: usize = 1_200;

/// The reason and what to do, unless it says that itself.
pub(crate) fn with_fix(mut reason: String, fix: &str) -> String {
    if !reason.contains("fix: ") {
        reason.truncate(reason.floor_char_boundary(MAX_REASON));
        let end = reason.trim_end_matches(['.', ' ', '\n']).len();
        reason.truncate(end);
        reason = format!("{reason}; fix: {fix}");
    }
    reason
}

/// The lines that a program wrote, as a terminal would show them: without colours and other control sequences, with the last
/// state of an overwritten line (`\r`), and without blank lines.
pub(crate) fn lines(written: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(written).split('\n').map(line).filter(|line| !line.is_empty()).collect()
}

fn line(raw: &str) -> String {
    let last = raw.trim_end_matches('\r').rsplit('\r').next();
    let mut shown = String::new();
    let mut rest = last.unwrap_or_default().chars();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => skip_sequence(&mut rest),
            '\t' => shown.push(' '),
            c if c.is_control() || is_format(c) => {}
            c => shown.push(c),
        }
    }
    shown.trim().to_owned()
}

/// A control sequence is `ESC [`, parameters, and a byte of `@` to `~` (ECMA-48, 5.4); any other escape is one character.
fn skip_sequence(rest: &mut std::str::Chars<'_>) {
    if rest.next() == Some('[') {
        rest.find(|c| ('@'..='~').contains(c));
    }
}

/// Characters that turn the reading direction or cannot be seen.
fn is_format(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_and_overwritten_progress_are_not_kept() {
        let written = b"\r 10%\r 99%\r\n\x1b[1;31merror:\x1b[0m\tno model\x07\r\n\n";
        assert_eq!(lines(written), ["99%", "error: no model"]);
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        assert_eq!(lines(b"a\xffb"), ["a\u{fffd}b"]);
    }

    #[test]
    fn a_cut_never_splits_a_character() {
        assert_eq!(cut("aéé", 2), "a");
        assert_eq!(cut("abc", 10), "abc");
    }

    #[test]
    fn an_escape_at_the_end_is_no_trouble() {
        assert_eq!(lines(b"a\x1b"), ["a"]);
        assert_eq!(lines(b"a\x1b[31"), ["a"]);
    }
}
