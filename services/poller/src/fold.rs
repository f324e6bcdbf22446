//! A reason without what differs from object to object.

/// Stands for quoted text, file names and the object's own name.
const TEXT: &str = "…";
/// Stands for digits and hexadecimal ids.
const NUMBER: &str = "#";

/// A reason is cut to so many bytes, and no more of it than the second is looked at.
const LONGEST: usize = 200;
const LOOKED_AT: usize = 2_000;

/// So many hexadecimal digits are an id.
const ID: usize = 8;

/// Folds out of `reason` what differs from object to object: quoted text, file names, ids, digits; and cuts it.
pub(crate) fn fold(reason: &str, name: &str) -> String {
    let reason = &reason[..reason.floor_char_boundary(LOOKED_AT)];
    let unquoted = without_quoted(reason);
    let words: Vec<_> = unquoted.split_whitespace().map(|word| fold_word(word, name)).collect();
    let mut folded = words.join(" ");
    if folded.len() > LONGEST {
        folded.truncate(folded.floor_char_boundary(LONGEST - TEXT.len()));
        folded.push_str(TEXT);
    }
    folded
}

/// Quotes stay, what is between them goes. An apostrophe within a word is none.
fn without_quoted(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['"', '\'', '`']) {
        let (before, quoted) = rest.split_at(at);
        result.push_str(before);
        let quote = &quoted[..1];
        let inner = &quoted[1..];
        let is_open = quote != "'" || !result.ends_with(char::is_alphanumeric);
        result.push_str(quote);
        rest = inner;
        if let Some(end) = closing(inner, quote).filter(|_| is_open) {
            result.push_str(TEXT);
            result.push_str(quote);
            rest = &inner[end + 1..];
        }
    }
    result.push_str(rest);
    result
}

/// Where the text in quotes ends.
fn closing(inner: &str, quote: &str) -> Option<usize> {
    let is_end = |&(at, _): &(usize, &str)| {
        quote != "'" || !inner[at + 1..].starts_with(char::is_alphanumeric)
    };
    inner.match_indices(quote).find(is_end).map(|(at, _)| at)
}

fn fold_word(word: &str, name: &str) -> String {
    let core = word.trim_matches(|letter: char| letter.is_ascii_punctuation() && letter != '/');
    if is_file(core, name) {
        return word.replacen(core, TEXT, 1);
    }
    let mut result = String::with_capacity(word.len());
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        let is_part = |letter: char| letter.is_alphanumeric() || letter == '-';
        let end = if is_part(first) {
            rest.find(|letter| !is_part(letter)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (part, after) = rest.split_at(end);
        if is_id(part) {
            result.push_str(NUMBER);
        } else {
            fold_digits(part, &mut result);
        }
        rest = after;
    }
    result
}

/// A path, the object's name, or a name with an extension.
fn is_file(core: &str, name: &str) -> bool {
    let has_extension = core.rsplit_once('.').is_some_and(|(stem, extension)| {
        !stem.is_empty()
            && (2..=5).contains(&extension.len())
            && extension.chars().all(|letter| letter.is_ascii_alphanumeric())
            && extension.contains(|letter: char| letter.is_ascii_alphabetic())
    });
    let base = name.rsplit('/').next().unwrap_or(name);
    !core.is_empty() && (has_extension || core.contains('/') || core == name || core == base)
}

fn is_id(part: &str) -> bool {
    let (digits, least) = part.strip_prefix("0x").map_or((part, ID), |digits| (digits, 1));
    digits.chars().all(|letter| letter.is_ascii_hexdigit() || letter == '-')
        && digits.chars().filter(char::is_ascii_hexdigit).count() >= least
        && part.contains(|letter: char| letter.is_ascii_digit())
}

fn fold_digits(part: &str, result: &mut String) {
    let mut was_digit = false;
    for letter in part.chars() {
        let is_digit = letter.is_ascii_digit();
        match (is_digit, was_digit) {
            (false, _) => result.push(letter),
            (true, false) => result.push_str(NUMBER),
            (true, true) => {}
        }
        was_digit = is_digit;
    }
}
