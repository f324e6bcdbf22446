//! Which object names Cloud Storage takes (docs: "Object naming requirements"); all others are legal.

/// The longest name in bytes of UTF-8.
const LONGEST: usize = 1_024;

/// Why Cloud Storage would refuse an object of this name, if it would.
pub(super) fn refusal(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        Some("an object's name cannot be empty")
    } else if name.len() > LONGEST {
        Some("an object's name has 1,024 bytes at most")
    } else if name.contains(['\r', '\n']) {
        Some("an object's name cannot have carriage returns or line feeds")
    } else if matches!(name, "." | "..") {
        Some("an object cannot be named `.` or `..`")
    } else if name.starts_with(".well-known/acme-challenge/") {
        Some("an object's name cannot begin with `.well-known/acme-challenge/`")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_are_those_of_the_service_and_no_more() {
        for name in [
            "",
            ".",
            "..",
            "a\nb",
            "a\rb",
            ".well-known/acme-challenge/x",
        ] {
            assert!(refusal(name).is_some(), "{name:?}");
        }
        for name in [
            "...",
            "a/../b",
            "//",
            "/",
            "\0",
            "a\u{85}b",
            ".well-known/x",
        ] {
            assert_eq!(refusal(name), None, "{name:?}");
        }
    }

    #[test]
    fn length_counts_bytes() {
        assert_eq!(refusal(&"é".repeat(512)), None);
        assert!(refusal(&format!("{}a", "é".repeat(512))).is_some());
    }
}
