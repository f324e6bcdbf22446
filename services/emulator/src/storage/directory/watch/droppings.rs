//! Files that editors, browsers and desktops leave beside a user's own.

const NAMES: [&str; 3] = [".DS_Store", "Thumbs.db", "desktop.ini"];
/// Copies before a change, and downloads that have not ended.
const ENDS: [&str; 3] = ["~", ".part", ".crdownload"];
/// How the names of a dropping begin and end: Vim's swap files, `LibreOffice`'s locks, and what macOS stores where it has no
/// better place.
const FORMS: [(&str, &str); 5] =
    [(".", ".swp"), (".", ".swo"), (".", ".swx"), (".~lock.", "#"), ("._", "")];

/// Whether a file of this name is not meant for anyone but the program that wrote it. `*.tmp` is not among them: programs
/// write files of the user's under such names too.
pub(in super::super) fn is_dropping(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    NAMES.contains(&file)
        || ENDS.iter().any(|end| file.ends_with(end))
        || FORMS.iter().any(|(start, end)| file.starts_with(start) && file.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn droppings_are_told_by_the_last_part_of_the_name() {
        for name in [
            ".DS_Store",
            "a/Thumbs.db",
            "a/b/desktop.ini",
            "a.csv~",
            "~",
            ".a.csv.swp",
            "film.mp4.part",
            "film.mp4.crdownload",
            "in/.~lock.a.ods#",
            "._a.csv",
        ] {
            assert!(is_dropping(name), "{name}");
        }
        for name in ["a.tmp", "a~/b", "a.swp", "x.part/y", "a.part.csv", "DS_Store", "#a", ".a"] {
            assert!(!is_dropping(name), "{name}");
        }
    }
}
