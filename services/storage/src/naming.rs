//! Names of objects in other forms: another one where its own is taken, and one that may stand in metadata.

use std::fmt::Write as _;

/// Extensions of packed content, which follow the content's own: `.tar.gz`.
const PACKED: [&str; 9] = ["gz", "bz2", "xz", "zst", "lz4", "br", "z", "lzma", "snappy"];

/// Letters and digits of an extension, at most.
const MAX_EXTENSION: usize = 10;

/// `name` with `tag` before its extension, so that a glob for the extension still finds it: `a/x.42.csv`, `a/x.42.tar.gz`.
/// Without an extension, and with a leading dot alone, it is at the end: `a/x.42`, `a/.x.42`.
pub fn tagged(name: &str, tag: &str) -> String {
    let (stem, extension) = split(name);
    format!("{stem}.{tag}{extension}")
}

/// `name` with `%` and the characters that `is_reserved` percent-encoded, byte by byte.
pub fn percent_encoded(name: &str, is_reserved: impl Fn(char) -> bool) -> String {
    name.chars().fold(String::with_capacity(name.len()), |mut encoded, c| {
        if c == '%' || is_reserved(c) {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                // Writing to a string cannot fail.
                let _ = write!(encoded, "%{byte:02X}");
            }
        } else {
            encoded.push(c);
        }
        encoded
    })
}

/// `name` without its extension, and the extension with its dot.
pub fn split(name: &str) -> (&str, &str) {
    let first = name.rfind('/').map_or(0, |slash| slash + 1);
    let Some(last) = extension(&name[first..]) else {
        return (name, "");
    };
    let stem = &name[first..first + last];
    let packed = &name[first + last + 1..];
    let at = match extension(stem) {
        Some(inner) if PACKED.iter().any(|known| packed.eq_ignore_ascii_case(known)) => inner,
        _ => last,
    };
    name.split_at(first + at)
}

/// Where the dot of the extension is, in the last part of a name.
fn extension(part: &str) -> Option<usize> {
    let dot = part.rfind('.').filter(|&dot| !part[..dot].trim_start_matches('.').is_empty())?;
    let letters = &part[dot + 1..];
    let is_extension = (1..=MAX_EXTENSION).contains(&letters.len())
        && letters.bytes().all(|letter| letter.is_ascii_alphanumeric());
    is_extension.then_some(dot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_is_before_the_extension() {
        for (name, expected) in [
            ("x.csv", "x.42.csv"),
            ("a.b/x.csv", "a.b/x.42.csv"),
            ("a/x.tar.gz", "a/x.42.tar.gz"),
            ("x.csv.GZ", "x.42.csv.GZ"),
            ("x.gz", "x.42.gz"),
            ("2026.11.25.csv", "2026.11.25.42.csv"),
            ("é.json", "é.42.json"),
        ] {
            assert_eq!(tagged(name, "42"), expected);
        }
    }

    #[test]
    fn without_an_extension_the_tag_is_at_the_end() {
        for name in
            ["x", "a.b/x", ".profile", "a/.profile", "..", "x.", "a/", "", "Dr. Ada's notes", "x.é"]
        {
            assert_eq!(tagged(name, "42"), format!("{name}.42"));
        }
    }
}
