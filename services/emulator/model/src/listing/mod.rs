//! Pages of objects in name order, in UTF-8 bytes.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::{
    access::Permission,
    bucket::Bucket,
    model::Model,
    object::Object,
    refusal::{Refusal, Result},
};

/// The longest page; longer ones are cut to it.
const LONGEST_PAGE: usize = 1_000;

/// Which page of a listing.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Only names that begin with this.
    pub prefix: String,
    /// Names that have it behind the prefix are rolled up to what is before it.
    pub delimiter: String,
    /// Names that end with the delimiter are listed as objects too.
    pub include_trailing_delimiter: bool,
    /// The first name, included.
    pub start: String,
    /// The end of the names, not included; empty for none.
    pub end: String,
    /// Objects and prefixes together; 0 is the default.
    pub page_size: i32,
    /// [`Listing::next`] of the page before; empty for the first.
    pub page_token: String,
}

/// A page.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// In name order.
    pub objects: Vec<Object>,
    /// What names were rolled up to.
    pub prefixes: Vec<String>,
    /// The next page's token; empty after the last.
    pub next: String,
}

/// Where a listing stands.
enum Step {
    /// At the next name.
    On,
    /// Names were rolled up: the next one is looked up again.
    Skip,
    /// The page is complete.
    Done,
}

impl Model {
    /// One page of the live objects.
    pub fn list(&mut self, bucket: &str, query: &Query) -> Result<Listing> {
        self.access.check(Permission::List, &query.prefix)?;
        let limit = page_size(query.page_size)?;
        let mut cursor = decode(&query.page_token)?.max(query.start.clone());
        let bucket = self.bucket(bucket)?;
        let mut page = Listing::default();
        loop {
            let asked = limit - page.len() + 1;
            let names = bucket.backend.names(&query.prefix, &cursor, asked)?;
            let exhausted = names.len() < asked;
            let mut skipped = false;
            for name in names {
                match page.take(bucket, query, limit, name, &mut cursor)? {
                    Step::On => {}
                    Step::Skip => {
                        skipped = true;
                        break;
                    }
                    Step::Done => return Ok(page),
                }
            }
            if exhausted && !skipped {
                return Ok(page);
            }
        }
    }
}

impl Listing {
    fn len(&self) -> usize {
        self.objects.len() + self.prefixes.len()
    }

    /// Takes one name into the page, and moves the cursor behind it.
    fn take(
        &mut self,
        bucket: &mut Bucket,
        query: &Query,
        limit: usize,
        name: String,
        cursor: &mut String,
    ) -> Result<Step> {
        if !query.end.is_empty() && name >= query.end {
            return Ok(Step::Done);
        }
        if self.len() >= limit {
            self.next = encode(&name);
            return Ok(Step::Done);
        }
        let Some(rolled) = query.roll_up(&name) else {
            self.objects.extend(bucket.look(&name)?);
            *cursor = name + "\0";
            return Ok(Step::On);
        };
        if query.include_trailing_delimiter && rolled == name {
            self.objects.extend(bucket.look(&name)?);
        }
        let behind = successor(rolled);
        self.prefixes.push(rolled.to_owned());
        match behind {
            Some(next) => {
                *cursor = next;
                Ok(Step::Skip)
            }
            None => Ok(Step::Done),
        }
    }
}

impl Query {
    /// The part of `name` up to the first delimiter behind the prefix.
    fn roll_up<'a>(&self, name: &'a str) -> Option<&'a str> {
        if self.delimiter.is_empty() {
            return None;
        }
        let rest = name.strip_prefix(self.prefix.as_str())?;
        let at = rest.find(self.delimiter.as_str())?;
        Some(&name[..self.prefix.len() + at + self.delimiter.len()])
    }
}

/// The first string behind all that begin with `prefix`.
fn successor(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        // A `char` range steps over the surrogates.
        if let Some(next) = (last..=char::MAX).nth(1) {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

fn page_size(asked: i32) -> Result<usize> {
    match usize::try_from(asked) {
        Ok(0) => Ok(LONGEST_PAGE),
        Ok(size) => Ok(size.min(LONGEST_PAGE)),
        Err(_) => Err(Refusal::invalid("The page size cannot be negative.")),
    }
}

/// A token is the first name of the next page.
fn encode(name: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(name)
}

fn decode(token: &str) -> Result<String> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| Refusal::invalid("The page token is not one of this service."))
}

#[cfg(test)]
mod tests;
