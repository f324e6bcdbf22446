//! Listings: order, prefixes, pages.

use super::{
    check::{Outcome, fails, holds, same},
    fixture::{Fixture, text},
};
use brigade_storage::{
    ListRequest, Page,
    error::{Kind, Result},
};

/// No object below the prefix: one page without objects, and none after it.
pub async fn a_prefix_without_objects_is_one_empty_page(fixture: &Fixture) -> Outcome {
    let page = page(fixture, "nothing/", 10, "").await?;
    same("the page", page, Page::default())
}

/// Names come in the order of their UTF-8 bytes, which is neither that of UTF-16 units nor that of a walk through
/// folders.
pub async fn listing_is_in_byte_order(fixture: &Fixture) -> Outcome {
    let names = ["B", "a!x", "a/x", "a0x", "b", "é", "\u{ff5e}", "\u{1f600}"];
    for name in names.iter().rev() {
        fixture.put(name, "x").await?;
    }
    same("the listing", fixture.list("", 0).await?, names.map(str::to_owned).to_vec())
}

/// A prefix is compared by bytes: a folder's neighbours are not in it, and it needs no slash at its end.
pub async fn listing_keeps_to_its_prefix(fixture: &Fixture) -> Outcome {
    for name in ["in/a", "in/b/c", "in2/a", "out/in/a", "i"] {
        fixture.put(name, "x").await?;
    }
    let list = |prefix| fixture.list(prefix, 0);
    same("in/", list("in/").await?, owned(&["in/a", "in/b/c"]))?;
    same("in", list("in").await?, owned(&["in/a", "in/b/c", "in2/a"]))?;
    same("in/b/c", list("in/b/c").await?, owned(&["in/b/c"]))?;
    same("in/b/cd", list("in/b/cd").await?, owned(&[]))
}

/// Pages have at most the requested size; together they are the listing, each object once.
pub async fn pages_join_to_the_whole_listing(fixture: &Fixture) -> Outcome {
    let names: Vec<String> = (0..7).map(|n| format!("{n}")).collect();
    for name in &names {
        fixture.put(name, "x").await?;
    }
    for size in [1, 3, 7, 8, 1_000] {
        same("the listing", fixture.list("", size).await?, names.clone())?;
        let first = page(fixture, "", size, "").await?;
        let most = usize::try_from(size).unwrap_or_default();
        holds("a page keeps to its size", first.objects.len() <= most)?;
    }
    Ok(())
}

/// A start is the first name of a listing, whether an object has it or not, on all pages; the prefix holds all the same.
pub async fn a_listing_begins_at_its_start(fixture: &Fixture) -> Outcome {
    for name in ["in/a", "in/b/c", "in/b/d", "in/e", "out"] {
        fixture.put(name, "x").await?;
    }
    for (start, want) in [
        ("in/b", &["in/b/c", "in/b/d", "in/e"][..]),
        ("in/b/d", &["in/b/d", "in/e"]),
        ("in/f", &[]),
        ("a", &["in/a", "in/b/c", "in/b/d", "in/e"]),
    ] {
        let mut request = ListRequest {
            prefix: fixture.at("in/"),
            start: fixture.at(start),
            page_size: 1,
            ..ListRequest::default()
        };
        let mut names = Vec::new();
        loop {
            let page = fixture.bucket().list(&request).await?;
            names.extend(shorts(fixture, &page));
            if page.next.is_empty() {
                break;
            }
            request.page_token = page.next;
        }
        same("the listing", names, owned(want))?;
    }
    Ok(())
}

/// An object that appears before the place where the next page begins shifts none out of it.
pub async fn an_object_inserted_between_pages_hides_no_other(fixture: &Fixture) -> Outcome {
    for name in ["b", "d", "f", "h"] {
        fixture.put(name, "x").await?;
    }
    let first = page(fixture, "", 2, "").await?;
    same("the first page", shorts(fixture, &first), owned(&["b", "d"]))?;
    fixture.put("a", "x").await?;
    fixture.put("g", "x").await?;
    let rest = rest(fixture, first.next).await?;
    same("the rest", rest, owned(&["f", "g", "h"]))
}

/// Objects that vanish, the last one seen among them, shift none over the page's edge.
pub async fn objects_removed_between_pages_hide_no_other(fixture: &Fixture) -> Outcome {
    for name in ["a", "b", "c", "d", "e"] {
        fixture.put(name, "x").await?;
    }
    let first = page(fixture, "", 2, "").await?;
    same("the first page", shorts(fixture, &first), owned(&["a", "b"]))?;
    for object in &first.objects {
        fixture.bucket().delete(object.pinned()).await?;
    }
    same("the rest", rest(fixture, first.next).await?, owned(&["c", "d", "e"]))
}

/// A listing tells all that a look tells: content type, checksums, metadata, times. Right after the upload.
pub async fn a_listing_shows_what_a_look_shows(fixture: &Fixture) -> Outcome {
    let created = fixture.put("a", "1,2").await?;
    let page = page(fixture, "", 10, "").await?;
    same("the listing", page.objects, vec![created.clone()])?;
    same("the look", fixture.bucket().get(&created.name).await?, created)
}

/// A bucket that is not there needs a fix; an object that is not there does not.
pub async fn a_missing_bucket_is_told_from_a_missing_object(fixture: &Fixture) -> Outcome {
    let name = fixture.at("a");
    fails(fixture.bucket().get(&name).await, &[Kind::NotFound])?;
    let missing = fixture.missing();
    fails(missing.list(&ListRequest::default()).await, &[Kind::NoBucket])?;
    fails(missing.get(&name).await, &[Kind::NoBucket])?;
    fails(missing.create(&name, 0, text("x")).await, &[Kind::NoBucket])
}

async fn page(fixture: &Fixture, prefix: &str, size: i32, token: &str) -> Result<Page> {
    let request = ListRequest {
        prefix: fixture.at(prefix),
        page_size: size,
        page_token: token.to_owned(),
        ..ListRequest::default()
    };
    fixture.bucket().list(&request).await
}

/// The names on all pages from `token` on.
async fn rest(fixture: &Fixture, mut token: String) -> Result<Vec<String>> {
    let mut names = Vec::new();
    while !token.is_empty() {
        let page = page(fixture, "", 2, &token).await?;
        names.extend(shorts(fixture, &page));
        token = page.next;
    }
    Ok(names)
}

fn shorts(fixture: &Fixture, page: &Page) -> Vec<String> {
    page.objects.iter().map(|object| fixture.short(object)).collect()
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}
