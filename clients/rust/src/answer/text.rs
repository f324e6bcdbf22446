//! The length of a worker's message.

/// The most bytes kept of a worker's message. A file's metadata keeps fewer still, and a log line should stay readable.
const MAX_MESSAGE: usize = 2_048;
const MORE: &str = " …";

/// The message, or its first part with an ellipsis when it is too long.
pub(crate) fn shorten(mut text: String) -> String {
    if text.len() > MAX_MESSAGE {
        text.truncate(text.floor_char_boundary(MAX_MESSAGE - MORE.len()));
        text.push_str(MORE);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_cut_at_a_character_and_says_so() {
        for (text, length) in [("x", 1), ("xé", 3), ("é", 2), ("漢", 3), ("😀", 4)] {
            let fits = text.repeat(MAX_MESSAGE / length);
            assert_eq!(shorten(fits.clone()), fits);
            let cut = shorten(text.repeat(70_000));
            assert!((MAX_MESSAGE - 3..=MAX_MESSAGE).contains(&cut.len()), "{text}: {}", cut.len());
            assert!(cut.starts_with(text) && cut.ends_with(MORE));
        }
    }
}
