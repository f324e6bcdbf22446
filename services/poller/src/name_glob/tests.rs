//! Globs against a reference that is easy to read.

use std::collections::BTreeSet;

use proptest::{collection::vec, prelude::*, sample::select};

use super::*;

fn glob(pattern: &str) -> NameGlob {
    pattern.parse().unwrap()
}

#[test]
fn a_question_mark_is_one_character_and_a_class_holds_characters() {
    for (pattern, name, is_match) in [
        ("?.csv", "ä.csv", true),
        ("?.csv", "日.csv", true),
        ("?.csv", "😀.csv", true),
        ("?.csv", "ab.csv", false),
        ("??.csv", "ä.csv", false),
        ("[ä-ö].csv", "é.csv", true),
        ("[ä-ö].csv", "z.csv", false),
        ("[!ä].csv", "ö.csv", true),
        ("[!ä].csv", "ä.csv", false),
        ("{ä,日本}.csv", "日本.csv", true),
        ("Übersicht*.csv", "Übersicht 1.csv", true),
        ("日\\*.csv", "日*.csv", true),
        ("\\\\xc3.csv", "\\xc3.csv", true),
        ("\\\\xc3.csv", "Ã.csv", false),
        ("*", "a\nb", true),
        ("**", "a/\u{85}/b", true),
    ] {
        assert_eq!(glob(pattern).is_match(name), is_match, "{pattern} {name}");
    }
}

#[test]
fn the_inboxs_own_path_is_refused_and_a_folder_that_begins_like_it_is_not() {
    let inbox = Location::new("data", "in");
    for wrong in ["in/*.csv", "/in/*.csv", "in/"] {
        assert!(glob(wrong).check_below(&inbox).is_err(), "{wrong}");
        assert_eq!(glob(wrong).check_below(&Location::new("data", "")), Ok(()));
    }
    for good in ["in*/a.csv", "in", "inbox/*.csv", "**/in/*.csv", "[i]n/*.csv", "\\in/*.csv"] {
        assert_eq!(glob(good).check_below(&inbox), Ok(()));
    }
}

#[derive(Clone, Debug)]
enum Token {
    Is(char),
    Any,
    Star,
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
    Either(Vec<Vec<Self>>),
    /// `**/` at the beginning, `/**/`, and `/**` at the end.
    Deep(&'static str),
}

const CHARACTERS: [char; 12] = ['a', 'b', 'x', '-', '.', '\\', '^', 'ä', 'é', 'ö', '日', '😀'];

fn token() -> impl Strategy<Value = Token> {
    let ranges = vec((select(&CHARACTERS[7..]), select(&CHARACTERS[7..])), 1..3)
        .prop_map(|ranges| ranges.into_iter().map(|(a, b)| (a.min(b), a.max(b))).collect());
    prop_oneof![
        4 => select(&CHARACTERS[..]).prop_map(Token::Is),
        1 => Just(Token::Is('/')),
        2 => Just(Token::Any),
        2 => Just(Token::Star),
        2 => (any::<bool>(), ranges)
            .prop_map(|(negated, ranges)| Token::Class { negated, ranges }),
    ]
}

fn tokens() -> impl Strategy<Value = Vec<Token>> {
    let either = vec(vec(token(), 1..3), 1..4).prop_map(Token::Either);
    let middle = vec(prop_oneof![6 => token(), 1 => either, 1 => Just(Token::Deep("/**/"))], 0..6);
    (any::<bool>(), middle, any::<bool>()).prop_map(|(first, middle, last)| {
        let first = first.then_some(Token::Deep("**/"));
        let last = last.then_some(Token::Deep("/**"));
        let mut tokens: Vec<_> = first.into_iter().chain(middle).chain(last).collect();
        // Two stars in a row, or beside a slash, are another token.
        tokens.dedup_by(|a, b| is_star(a) && is_star(b));
        if let [Token::Deep("**/")] = tokens[..] {
            // To globset, this alone is everything.
            tokens.push(Token::Star);
        }
        tokens
    })
}

fn is_star(token: &Token) -> bool {
    matches!(token, Token::Star | Token::Deep(_))
}

fn pattern(tokens: &[Token]) -> String {
    let mut pattern = String::new();
    for token in tokens {
        match token {
            Token::Is('/') => pattern.push('/'),
            Token::Is(c) => pattern.extend(['\\', *c]),
            Token::Any => pattern.push('?'),
            Token::Star => pattern.push('*'),
            Token::Class { negated, ranges } => {
                pattern.push_str(if *negated { "[!" } else { "[" });
                for (from, to) in ranges {
                    pattern.extend([*from, '-', *to]);
                }
                pattern.push(']');
            }
            Token::Either(all) => {
                let all: Vec<_> = all.iter().map(|tokens| self::pattern(tokens)).collect();
                pattern.extend(["{", &all.join(","), "}"]);
            }
            Token::Deep(text) => pattern.push_str(text),
        }
    }
    pattern
}

/// Where a match of `tokens` that begins at one of `starts` may end.
fn ends(tokens: &[Token], name: &[char], starts: BTreeSet<usize>) -> BTreeSet<usize> {
    tokens.iter().fold(starts, |starts, token| {
        starts.iter().flat_map(|start| ends_of(token, name, *start)).collect()
    })
}

fn ends_of(token: &Token, name: &[char], start: usize) -> BTreeSet<usize> {
    let rest = &name[start..];
    let one = |fits: bool| if fits { [start + 1].into() } else { BTreeSet::new() };
    match token {
        Token::Is(c) => one(rest.first() == Some(c)),
        Token::Any => one(rest.first().is_some_and(|c| *c != '/')),
        Token::Star => {
            let most = rest.iter().take_while(|c| **c != '/').count();
            (start..=start + most).collect()
        }
        Token::Class { negated, ranges } => one(rest
            .first()
            .is_some_and(|c| ranges.iter().any(|(from, to)| (from..=to).contains(&c)) != *negated)),
        Token::Either(all) => {
            all.iter().flat_map(|tokens| ends(tokens, name, [start].into())).collect()
        }
        Token::Deep(text) => (0..=rest.len())
            .filter(|length| is_deep(text, &rest[..*length]))
            .map(|length| start + length)
            .collect(),
    }
}

fn is_deep(text: &str, name: &[char]) -> bool {
    let (first, last) = (name.first() == Some(&'/'), name.last() == Some(&'/'));
    match text {
        "**/" => name.is_empty() || last,
        "/**" => first,
        _ => first && last,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_glob_matches_what_its_reference_does(
        tokens in tokens(),
        names in vec(vec(prop_oneof![4 => select(&CHARACTERS[..]), 1 => Just('/')], 0..6), 1..20),
    ) {
        let glob = glob(&pattern(&tokens));
        for name in names {
            let expected = ends(&tokens, &name, [0].into()).contains(&name.len());
            let text: String = name.iter().collect();
            prop_assert_eq!(glob.is_match(&text), expected, "{} {}", glob.pattern(), text);
        }
    }

    #[test]
    fn any_text_is_a_glob_or_an_error(text in ".{0,20}") {
        if let Ok(glob) = text.parse::<NameGlob>() {
            glob.is_match(&text);
        }
    }
}
