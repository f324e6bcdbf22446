//! What only a shell understands. No shell runs, so the program would get it as an argument.

use super::invalid::InvalidProgram;

/// In place of a character that is quoted, and so has no meaning to a shell.
const QUOTED: char = '\0';
const OPERATORS: [char; 5] = ['|', '&', ';', '<', '>'];

/// The words of a command as [`shell_words::split`] splits them, with each quoted character masked.
fn masked(given: &str) -> Vec<String> {
    spans(given).into_iter().map(|(word, _)| word).collect()
}

/// The same, each with where it ends.
fn spans(given: &str) -> Vec<(String, usize)> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = given.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\n' => {
                let end = given.len() - chars.as_str().len() - 1;
                words.extend(word.take().map(|word| (word, end)));
            }
            '#' if word.is_none() => {
                chars.find(|c| *c == '\n');
            }
            '\\' => match chars.next() {
                Some('\n') => {}
                _ => word.get_or_insert_default().push(QUOTED),
            },
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                while let Some(quoted) = chars.next().filter(|quoted| *quoted != c) {
                    if (c, quoted) == ('"', '\\') {
                        chars.next();
                    }
                    word.push(QUOTED);
                }
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word.map(|word| (word, given.len())));
    words
}

/// Refuses a command that needs a shell.
pub(super) fn refuse(given: &str) -> Result<(), InvalidProgram> {
    let words = masked(given);
    if let Some(assignment) = words.first().filter(|word| is_assignment(word)) {
        return Err(InvalidProgram::Assignment(shown(assignment)));
    }
    if let Some(home) = words.iter().find(|word| *word == "~" || word.starts_with("~/")) {
        return Err(InvalidProgram::Home(shown(home)));
    }
    let Some((operator, end)) = spans(given).into_iter().find(|(word, _)| is_operator(word)) else {
        return Ok(());
    };
    let script = if given.contains("{}") {
        given.replace("{}", "\"$1\"")
    } else {
        // The file is an argument of the first command.
        let signs = operator.trim_end_matches(OPERATORS);
        let length = if starts_with_operator(&operator) {
            operator.len()
        } else {
            operator.len() - signs.len()
        };
        let (first, rest) = given.split_at(end - length);
        let gap = if rest.starts_with([';', '&']) && first.trim_end() == first { "" } else { " " };
        format!("{} \"$1\"{gap}{rest}", first.trim_end())
    };
    let quote = |script: &str| shell_words::quote(script).into_owned();
    // With redirections alone it is one command, which `exec` can put in place of the shell.
    let is_other = |word: &String| word.contains(['|', ';']) || word.ends_with('&');
    let persistent = if given.contains("{}") || words.iter().any(is_other) {
        String::new()
    } else {
        format!(" (with --persistent: sh -c {})", quote(&format!("exec {given}")))
    };
    Err(InvalidProgram::Shell { word: shown(&operator), script: quote(&script), persistent })
}

/// The first word that a shell would replace. It may be meant as it is, since nothing replaces it here.
pub(super) fn expansion(given: &str) -> Option<String> {
    let begins = |c: char| c.is_ascii_alphanumeric() || "_{(@*#?$".contains(c);
    let expands = |word: &String| {
        word.contains('`') || word.split('$').skip(1).any(|after| after.starts_with(begins))
    };
    masked(given).into_iter().find(expands).map(|word| shown(&word))
}

/// `|`, `&&`, `2>&1`, `>file`, `done;`: operators of a shell stand at an end of a word. Inside one they may be a part of it, as in
/// the address of a page.
fn is_operator(word: &str) -> bool {
    starts_with_operator(word) || word.ends_with(OPERATORS)
}

fn starts_with_operator(word: &str) -> bool {
    word.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with(OPERATORS)
}

fn is_assignment(word: &str) -> bool {
    let name = word.split_once('=').map_or("", |(name, _)| name);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(is_plain)
}

/// The word, with what is quoted as one sign.
fn shown(word: &str) -> String {
    let mut shown = word.replace(QUOTED, "…");
    while shown.contains("……") {
        shown = shown.replace("……", "…");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_would_run_is_refused() {
        for given in [
            "cat {} | wc -l",
            "cat {} |wc -l",
            "a || b",
            "a && b",
            "a &",
            "a& b",
            "a ; b",
            "a; b",
            "a {} > out",
            "a {} >out",
            "a >> out",
            "a < {}",
            "a <{}",
            "a {} 2>&1",
            "a {} 2> err",
            "a &> err",
            "a\n| b",
            "a 'x y'; b",
            "A=1 a",
            "A_1='x y' a",
            "~/score {}",
            "a ~/x",
            "a ~",
        ] {
            assert!(refuse(given).is_err(), "{given}");
        }
    }

    #[test]
    fn the_script_that_is_suggested_has_the_file() {
        for (given, expected) in [
            ("wc -l 2>/dev/null", "wc -l \"$1\" 2>/dev/null"),
            ("cat {} | wc -l", "cat \"$1\" | wc -l"),
            ("cat | wc -l", "cat \"$1\" | wc -l"),
            ("a; b", "a \"$1\"; b"),
            ("a 'x y' && b", "a 'x y' \"$1\" && b"),
            ("a é& b", "a é \"$1\"& b"),
            ("a 'é'|b >x", "a 'é'|b \"$1\" >x"),
        ] {
            let Err(InvalidProgram::Shell { script, .. }) = refuse(given) else {
                panic!("{given}")
            };
            assert_eq!(script, shell_words::quote(expected), "{given}");
        }
    }

    #[test]
    fn what_is_quoted_or_a_part_of_a_word_is_the_programs() {
        for given in [
            "grep '>' {}",
            "cut -d '|' -f 1",
            "cut -d ';'",
            "awk -F'|' '{ print $1 }'",
            "grep \\> {}",
            "sort -t\\; {}",
            "sh -c 'cat \"$1\" | wc -l' sh {}",
            "sh -c \"cat {} > x; y\" sh",
            "a 'b\\' \"|\\\"\"",
            "a --url=http://x/?a=1&b=2",
            "a --out=b>c",
            "a --of B=1",
            "./A=1",
            "a --model=~/m",
            "a '~/x'",
            "a b~",
            "a # | b",
            "",
            "a ''",
        ] {
            assert_eq!(refuse(given), Ok(()), "{given}");
        }
    }

    #[test]
    fn what_a_shell_would_replace_is_found_outside_of_quotes() {
        for (given, found) in [
            ("a $HOME/x", Some("$HOME/x")),
            ("a ${X} {}", Some("${X}")),
            ("a 'b c'$(date)", Some("…$(date)")),
            ("a `date`", Some("`date`")),
            ("a '$HOME'", None),
            ("sh -c \"echo $1\" sh", None),
            ("a \\$1 5$ $", None),
        ] {
            assert_eq!(expansion(given).as_deref(), found, "{given}");
        }
    }
}
