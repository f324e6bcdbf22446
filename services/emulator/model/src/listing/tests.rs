use super::*;
use crate::{condition::Conditions, memory::Memory, object::Upload};

const BUCKET: &str = "some-bucket";

fn core(names: &[&str]) -> Model {
    let mut core = Model::default();
    core.add_bucket(BUCKET, Box::new(Memory::default())).unwrap();
    for name in names {
        core.insert(BUCKET, name, Upload::default(), &Conditions::default()).unwrap();
    }
    core
}

/// All pages: names of objects, then prefixes, a `|` between pages.
fn pages(names: &[&str], query: Query) -> String {
    let mut core = core(names);
    let mut query = query;
    let mut shown = Vec::new();
    loop {
        let page = core.list(BUCKET, &query).unwrap();
        let objects = page.objects.iter().map(|object| object.name.clone());
        let prefixes = page.prefixes.iter().map(|prefix| format!("[{prefix}]"));
        shown.push(objects.chain(prefixes).collect::<Vec<_>>().join(" "));
        if page.next.is_empty() {
            return shown.join(" | ");
        }
        query.page_token = page.next;
    }
}

#[test]
fn names_come_in_the_order_of_their_bytes() {
    // U+10000 follows U+FFFF in UTF-8, and precedes it in UTF-16.
    let names = ["b", "a", "Z", "\u{10000}", "\u{ffff}", "é"];
    assert_eq!(pages(&names, Query::default()), "Z a b é \u{ffff} \u{10000}");
}

#[test]
fn pages_continue_where_the_one_before_ended() {
    let query = Query { page_size: 2, ..Query::default() };
    assert_eq!(pages(&["a", "a\0", "b", "c", "d"], query), "a a\0 | b c | d");
}

#[test]
fn a_page_that_is_just_full_is_the_last() {
    let query = Query { page_size: 2, ..Query::default() };
    assert_eq!(pages(&["a", "b"], query), "a b");
}

#[test]
fn a_prefix_is_a_prefix_of_bytes_and_no_folder() {
    let query = Query { prefix: "in".into(), ..Query::default() };
    assert_eq!(pages(&["i", "in/a", "in2/b", "io"], query), "in/a in2/b");
}

#[test]
fn a_delimiter_rolls_names_up() {
    let names = ["a", "d/1", "d/2", "d/e/3", "d0", "x/"];
    let query = Query { delimiter: "/".into(), ..Query::default() };
    assert_eq!(pages(&names, query.clone()), "a d0 [d/] [x/]");
    let below = Query { prefix: "d/".into(), ..query.clone() };
    assert_eq!(pages(&names, below), "d/1 d/2 [d/e/]");
    let trailing = Query { include_trailing_delimiter: true, ..query.clone() };
    assert_eq!(pages(&names, trailing), "a d0 x/ [d/] [x/]");
    let paged = Query { page_size: 1, ..query };
    assert_eq!(pages(&names, paged), "a | [d/] | d0 | [x/]");
}

#[test]
fn bounds_include_the_start_and_not_the_end() {
    let query = Query { start: "b".into(), end: "d".into(), ..Query::default() };
    assert_eq!(pages(&["a", "b", "c", "d"], query), "b c");
}

#[test]
fn a_page_is_never_longer_than_a_thousand() {
    let names: Vec<String> = (0..1_001).map(|i| format!("{i:04}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let page = core(&names).list(BUCKET, &Query { page_size: 5_000, ..Query::default() }).unwrap();
    assert_eq!(page.objects.len(), 1_000);
    assert!(!page.next.is_empty());
}

#[test]
fn foreign_tokens_and_negative_sizes_are_refused() {
    for query in [
        Query { page_token: "?".into(), ..Query::default() },
        Query { page_size: -1, ..Query::default() },
    ] {
        assert!(core(&[]).list(BUCKET, &query).is_err(), "{query:?}");
    }
}

#[test]
fn the_successor_is_behind_everything_with_the_prefix() {
    assert_eq!(successor("a/").as_deref(), Some("a0"));
    assert_eq!(successor("a\u{d7ff}").as_deref(), Some("a\u{e000}"));
    assert_eq!(successor("a\u{10ffff}").as_deref(), Some("b"));
    assert_eq!(successor("\u{10ffff}"), None);
}
