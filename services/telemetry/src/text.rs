//! Texts in attributes, which nothing else keeps short.

use opentelemetry::KeyValue;

/// Bytes of a value.
const MAX: usize = 256;

/// An attribute whose value is cut where it is too long.
pub fn text(key: &'static str, value: impl Into<String>) -> KeyValue {
    KeyValue::new(key, cut(value.into()))
}

/// At most so much of it, cut at a character.
pub(crate) fn cut(mut value: String) -> String {
    value.truncate(value.floor_char_boundary(MAX));
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_is_cut_at_a_character() {
        assert_eq!(cut("short".into()), "short");
        let cut = cut(format!("a{}", "é".repeat(MAX)));
        assert_eq!(cut.len(), MAX - 1);
    }
}
