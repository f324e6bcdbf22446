//! Names: byte for byte, however odd.

use super::{
    check::{Outcome, fails, holds, same},
    fixture::{Fixture, copy, read, text},
};
use brigade_storage::{
    Bucket, ListRequest,
    error::{Kind, Result},
};

/// All legal, and each has broken something: a path that was joined, a URL that was resolved, a mask, a glob, a shell,
/// a log line, a terminal, an encoding.
const ODD: [&str; 36] = [
    "a/../b",
    "../a",
    "./a",
    "a/.",
    "a/..",
    "...",
    "//",
    "/a",
    "a//",
    "a//b",
    "dir/",
    "%2F",
    "%2e%2e",
    "a%2Fb",
    "%",
    "a?b",
    "a#123",
    "a*[x]?",
    "a{b}",
    "\\",
    "a\\..\\b",
    "tab\there",
    "esc\u{1b}[31m",
    "del\u{7f}",
    "nul\0nul",
    "nel\u{85}nel",
    "ls\u{2028}ps\u{2029}",
    "rtl\u{202e}gpj.exe",
    "\u{ffff}",
    "\u{1f469}\u{200d}\u{1f52c}.csv",
    " leading and trailing ",
    "-rf",
    "~",
    "a+b&c=d;e",
    "`'\"$(x)",
    "\u{feff}bom",
];

/// Uploaded, listed, looked at, read, renamed and deleted under exactly this name, at the top of a bucket and below a
/// folder. A store that cannot hold a name refuses it as invalid.
pub async fn odd_names_are_kept_byte_for_byte(fixture: &Fixture) -> Outcome {
    for name in ODD {
        let at_the_top = (!fixture.is_confined()).then(|| name.to_owned());
        for name in at_the_top.into_iter().chain([fixture.at(name)]) {
            if fixture.capabilities.holds(&name) {
                round_trip(fixture, &name).await?;
            } else {
                refused(&*fixture.bucket(), &name).await?;
            }
        }
    }
    Ok(())
}

/// Upper and lower case, composed and decomposed accents, one slash and two are different names.
pub async fn names_alike_to_the_eye_are_different(fixture: &Fixture) -> Outcome {
    let names = ["a/b", "a//b", "A/b", "caf\u{e9}", "cafe\u{301}", "x", "X"];
    let names = names.map(|name| fixture.at(name));
    let held = names.iter().filter(|name| fixture.capabilities.holds(name));
    let held: Vec<&String> = held.collect();
    let bucket = fixture.bucket();
    for name in &held {
        bucket.create(name, 0, text("x")).await?;
    }
    let mut want: Vec<String> = held.into_iter().cloned().collect();
    want.sort();
    same("the listing", listed(&*bucket, &fixture.at("")).await?, want)
}

/// 1,024 bytes, of one, two, three and four bytes a character.
pub async fn the_longest_names_are_legal(fixture: &Fixture) -> Outcome {
    for filler in ["a", "é", "日", "\u{1f600}"] {
        let name = long_name(fixture, filler, 1_024);
        if fixture.capabilities.holds(&name) {
            round_trip_to(fixture, &name, &long_name(fixture, "b", 1_024)).await?;
        } else {
            refused(&*fixture.bucket(), &name).await?;
        }
    }
    Ok(())
}

/// One byte more is refused wherever a name is given, and nothing is changed.
pub async fn names_too_long_are_refused(fixture: &Fixture) -> Outcome {
    illegal(fixture, &long_name(fixture, "a", 1_025)).await?;
    illegal(fixture, &long_name(fixture, "é", 1_025)).await
}

/// Carriage returns and line feeds.
pub async fn names_with_line_breaks_are_refused(fixture: &Fixture) -> Outcome {
    for name in ["a\nb", "a\rb", "\r\n", "a\n"] {
        illegal(fixture, &fixture.at(name)).await?;
    }
    Ok(())
}

/// No name at all, and the two that mean a folder.
pub async fn names_that_are_no_names_are_refused(fixture: &Fixture) -> Outcome {
    for name in ["", ".", ".."] {
        illegal(fixture, name).await?;
    }
    Ok(())
}

async fn round_trip(fixture: &Fixture, name: &str) -> Outcome {
    round_trip_to(fixture, name, &fixture.at("destination")).await
}

/// There, to `destination`, and back.
async fn round_trip_to(fixture: &Fixture, name: &str, destination: &str) -> Outcome {
    let bucket = fixture.bucket();
    let created = bucket.create(name, 0, text("x")).await?;
    same("the name created", created.name.as_str(), name)?;
    let listed = listed(&*bucket, name).await?;
    same("the listing", listed, vec![name.to_owned()])?;
    same("the look", &bucket.get(name).await?, &created)?;
    let content = read(&*bucket, created.pinned(), 0).await?;
    same("the content", &content[..], b"x")?;
    let there = bucket.rename(created.pinned(), created.metageneration, destination).await?;
    same("the name renamed to", there.name.as_str(), destination)?;
    fails(bucket.get(name).await, &[Kind::NotFound])?;
    let back = bucket.rename(there.pinned(), there.metageneration, name).await?;
    same("the name back", back.name.as_str(), name)?;
    bucket.delete(back.pinned()).await?;
    fails(bucket.get(name).await, &[Kind::NotFound])
}

/// As a new name and as a destination.
async fn illegal(fixture: &Fixture, name: &str) -> Outcome {
    let bucket = fixture.bucket();
    refused(&*bucket, name).await?;
    let source_name = fixture.at(&format!("source{}", name.len()));
    let source = match bucket.get(&source_name).await {
        Ok(source) => source,
        Err(_) => bucket.create(&source_name, 0, text("x")).await?,
    };
    fails(bucket.rename(source.pinned(), source.metageneration, name).await, &[Kind::Invalid])?;
    let made = copy(&source, &*bucket, (bucket.name(), name), None).await;
    fails(made, &[Kind::Invalid])?;
    fixture.unchanged(&source, "x").await
}

async fn refused(bucket: &dyn Bucket, name: &str) -> Outcome {
    fails(bucket.create(name, 0, text("x")).await, &[Kind::Invalid])?;
    if name.is_empty() {
        return Ok(());
    }
    let names = listed(bucket, name).await?;
    holds("a refused name is not listed", !names.iter().any(|listed| listed == name))
}

/// The names that begin with `prefix`, on one page.
async fn listed(bucket: &dyn Bucket, prefix: &str) -> Result<Vec<String>> {
    let request = ListRequest { prefix: prefix.to_owned(), ..ListRequest::default() };
    let page = bucket.list(&request).await?;
    Ok(page.objects.into_iter().map(|object| object.name).collect())
}

/// A name of exactly so many bytes below the prefix, in folders short enough for a file system.
fn long_name(fixture: &Fixture, filler: &str, bytes: usize) -> String {
    let mut name = fixture.at("");
    let mut folder = 0;
    while name.len() + filler.len() < bytes {
        if folder == 50 {
            name.push('/');
            folder = 0;
        } else {
            name.push_str(filler);
            folder += 1;
        }
    }
    name.extend(std::iter::repeat_n('x', bytes - name.len()));
    name
}
