//! Long text over several lines.

/// Text of which the first line has `first` columns before it and each other one an indent of `indent` blanks, within `width` columns.
/// Lines break at blanks, and within a text only when it is longer than a line. The blanks stay.
pub(crate) fn wrap(text: &str, first: usize, indent: usize, width: usize) -> String {
    let mut wrapped = String::with_capacity(text.len());
    // Words stay readable on a terminal that is too narrow for the indent.
    let width = width.max(indent + 20);
    let mut column = first;
    for part in text.split_inclusive(' ') {
        let length = part.trim_end().chars().count();
        if column > indent && column + length > width {
            wrapped.truncate(wrapped.trim_end().len());
            wrapped.push('\n');
            wrapped.extend(std::iter::repeat_n(' ', indent));
            column = indent;
        }
        for c in part.chars() {
            if column >= width && c != ' ' {
                wrapped.push('\n');
                wrapped.extend(std::iter::repeat_n(' ', indent));
                column = indent;
            }
            wrapped.push(c);
            column += 1;
        }
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_blanks_and_begin_with_the_indent() {
        let text = "line 6, column day: day 3 stands on line 5 already";
        assert_eq!(wrap(text, 4, 4, 200), text);
        let narrow = "line 6, column day: day\n    3 stands on line 5\n    already";
        assert_eq!(wrap(text, 4, 4, 28), narrow);
        assert_eq!(wrap("", 4, 4, 28), "");
    }

    #[test]
    fn a_word_that_is_longer_than_a_line_is_cut() {
        let word = "x".repeat(50);
        let wrapped = wrap(&word, 2, 2, 22);
        assert_eq!(wrapped.lines().map(str::len).collect::<Vec<_>>(), [20, 22, 12]);
        assert_eq!(wrapped.replace("\n  ", ""), word);
    }
}
