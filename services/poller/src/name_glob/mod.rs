//! Globs for names of objects: the syntax of globset, counted in characters.
//!
//! globset matches bytes, because a path may hold any. An object's name is UTF-8, so `?` is one character of it here, and
//! a class such as `[ä-ö]` holds characters.

use std::{fmt, str::FromStr};

use brigade_storage::Location;
use globset::GlobBuilder;
use regex_automata::meta::Regex;

/// A glob for the part of a name below the inbox: `*` stops at `/`, `**` does not.
#[derive(Clone)]
pub struct NameGlob {
    pattern: String,
    regex: Regex,
}

impl NameGlob {
    /// The glob as it was given.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Whether a name below the inbox matches.
    pub fn is_match(&self, below: &str) -> bool {
        self.regex.is_match(below)
    }

    /// Refuses a glob that begins with the inbox's own path: it would match nothing there.
    ///
    /// # Errors
    /// Why, and the glob that was probably meant.
    pub fn check_below(&self, inbox: &Location) -> Result<(), String> {
        let pattern = self.pattern.trim_start_matches('/');
        match pattern.strip_prefix(inbox.prefix.as_str()) {
            Some(below) if !inbox.prefix.is_empty() => Err(format!(
                "{:?} begins with the inbox's own path, and globs are matched below {inbox}; fix: {}; for a folder of that name below \
                 the inbox, write \\{pattern}",
                self.pattern,
                if below.is_empty() { "**" } else { below }
            )),
            Some(_) | None => Ok(()),
        }
    }
}

impl FromStr for NameGlob {
    type Err = String;

    fn from_str(given: &str) -> Result<Self, String> {
        if let Some(bare) = unquoted(given) {
            return Err(format!("the quotes are a part of it; fix: {bare}, without quotes"));
        }
        if given.starts_with("gs://") {
            return Err(
                "globs are matched against names below the inbox; fix: leave out gs:// and the inbox's path"
                    .to_owned(),
            );
        }
        if given.starts_with('!') {
            return Err(
                "a leading ! does not exclude anything; fix: BRIGADE_EXCLUDE leaves out what it matches; for names that begin \
                 with !, write \\!"
                    .to_owned(),
            );
        }
        let glob = GlobBuilder::new(given).literal_separator(true).build();
        let glob = glob.map_err(|error| error.to_string())?;
        let regex = Regex::new(&in_characters(glob.regex())).map_err(|error| error.to_string())?;
        Ok(Self { pattern: given.to_owned(), regex })
    }
}

impl fmt::Debug for NameGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NameGlob").field(&self.pattern).finish()
    }
}

/// What is between the quotes around a whole value.
fn unquoted(given: &str) -> Option<&str> {
    ['"', '\'', '`'].iter().find_map(|&quote| given.strip_prefix(quote)?.strip_suffix(quote))
}

/// globset's regular expression over bytes as one over characters: it writes each character beyond ASCII as its bytes,
/// `\xHH`, also in classes.
fn in_characters(bytewise: &str) -> String {
    let bytewise = bytewise.strip_prefix("(?-u)").unwrap_or(bytewise);
    let mut regex = "(?s)".to_owned();
    let mut rest = bytewise;
    while let Some(at) = rest.find('\\') {
        regex.push_str(&rest[..at]);
        rest = &rest[at..];
        let (character, length) = escaped(rest);
        regex.push_str(&character);
        rest = &rest[length..];
    }
    regex + rest
}

/// The text of the escapes that `rest` begins with, and their length: one escape, or the bytes of characters.
fn escaped(rest: &str) -> (String, usize) {
    let mut bytes = Vec::new();
    for escape in rest.as_bytes().chunks(4) {
        let [b'\\', b'x', digits @ ..] = escape else { break };
        let digits = str::from_utf8(digits).ok().filter(|digits| digits.len() == 2);
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => bytes.push(byte),
            None => break,
        }
    }
    if let Ok(characters) = str::from_utf8(&bytes)
        && !bytes.is_empty()
    {
        return (characters.to_owned(), bytes.len() * 4);
    }
    // A backslash, and the character that it takes the meaning from.
    let length = rest.chars().take(2).map(char::len_utf8).sum();
    (rest[..length].to_owned(), length)
}

#[cfg(test)]
mod tests;
