//! The passes of a poll: one over its listing, or more of them with pauses between.

use std::{pin::Pin, time::Duration};

use brigade_storage::{Error as StorageError, Object};
use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use tokio::time::{Instant, Sleep, sleep};

use super::oldest::Oldest;
use crate::{
    config::Order,
    run::RunContext,
    scan::{Listed, scan},
};

/// After so long without a new object the pauses grow.
const QUIET: Duration = Duration::from_mins(1);

/// They grow to this, unless the configured one is longer.
const MAX_PAUSE: Duration = Duration::from_secs(15);

/// A pause is as long for each page of the last pass.
const PAUSE_PER_PAGE: Duration = Duration::from_secs(1);

/// What a loop works on.
pub(super) enum Objects {
    /// The listing, as often as the request and the order of objects ask for.
    Inbox,
    /// These, once.
    Chosen(Vec<Object>),
}

/// What is next.
#[allow(clippy::large_enum_variant, reason = "it lives for one step of the loop")]
pub(super) enum Next {
    Object(Listed),
    Failed(StorageError),
    /// The pass is over.
    Over,
    /// The pause before the next pass is over.
    Again,
}

/// Where a loop is in its passes.
pub(super) struct Passes<'a> {
    run: &'a RunContext,
    /// Nothing once it has ended, or when it has not begun.
    listing: Option<BoxStream<'a, Result<Listed, StorageError>>>,
    oldest: Option<Oldest>,
    pause: Option<Pin<Box<Sleep>>>,
    is_inbox: bool,
    /// Passes that have begun.
    number: u64,
    /// What the last pass found.
    found: u64,
    /// How many pages it had.
    pages: u32,
    last_news: Instant,
    /// When the pass began, and when its last page was requested.
    began: Instant,
    asked: Instant,
    position: Option<String>,
}

// === impl Passes ===

impl<'a> Passes<'a> {
    /// The first pass has begun.
    pub(super) fn new(run: &'a RunContext, objects: Objects) -> Self {
        let mut passes = Self {
            run,
            listing: None,
            oldest: None,
            pause: None,
            is_inbox: matches!(objects, Objects::Inbox),
            number: 0,
            found: 0,
            pages: 0,
            last_news: Instant::now(),
            began: Instant::now(),
            asked: Instant::now(),
            position: None,
        };
        match objects {
            Objects::Inbox => passes.begin(),
            Objects::Chosen(objects) => {
                let asked = Instant::now();
                let listed = move |object| Ok(Listed { object, asked, page: 0 });
                passes.number = 1;
                passes.listing = Some(stream::iter(objects.into_iter().map(listed)).boxed());
            }
        }
        passes
    }

    /// Begins the next pass over the listing.
    pub(super) fn begin(&mut self) {
        let (instance, plan) = (&self.run.instance, &self.run.plan);
        let is_by_name = instance.config.order == Order::Name || plan.dry_run;
        let start = if self.number == 0 && is_by_name && !plan.dry_run {
            instance.cursors.get(&plan.prefix)
        } else {
            String::new()
        };
        let source = instance.settler.source();
        self.listing = Some(scan(source, plan.prefix.clone(), start).boxed());
        self.oldest = (!is_by_name).then(Oldest::default);
        self.pause = None;
        self.began = Instant::now();
        self.asked = self.began;
        self.number += 1;
        self.found = 0;
        self.pages = 0;
    }

    /// Dropped half way, it loses nothing.
    pub(super) async fn next(&mut self) -> Next {
        if let Some(pause) = &mut self.pause {
            pause.await;
            return Next::Again;
        }
        if let Some(listing) = &mut self.listing {
            match listing.next().await {
                Some(Ok(listed)) => {
                    self.pages = listed.page;
                    self.asked = listed.asked;
                    self.position = Some(listed.object.name.clone());
                    return Next::Object(listed);
                }
                Some(Err(error)) => return Next::Failed(error),
                None => self.listing = None,
            }
        }
        self.oldest.as_mut().and_then(Oldest::next).map_or(Next::Over, Next::Object)
    }

    /// Whether its objects come from the listing, not from what was collected of it.
    pub(super) fn is_listing(&self) -> bool {
        self.listing.is_some()
    }

    /// Whether the listing is collected before any of it is dispatched.
    pub(super) fn is_collecting(&self) -> bool {
        self.is_listing() && self.oldest.is_some()
    }

    pub(super) fn collect(&mut self, listed: Listed) {
        if let Some(oldest) = &mut self.oldest {
            oldest.push(listed);
        }
    }

    /// Whether there may be more than one pass.
    pub(super) fn may_go_on(&self) -> bool {
        let plan = &self.run.plan;
        self.is_inbox && !plan.dry_run && (plan.relist || self.oldest.is_some())
    }

    /// One that is dispatched.
    pub(super) fn found(&mut self) {
        self.found += 1;
        self.last_news = Instant::now();
    }

    pub(super) fn has_found(&self) -> bool {
        self.found > 0
    }

    /// Whether the pass could not keep all that it found, and the next one would find more.
    pub(super) fn has_more(&self) -> bool {
        self.has_found() && self.oldest.as_ref().is_some_and(|oldest| oldest.is_over_full)
    }

    /// Only the first pass is told object by object.
    pub(super) fn is_first(&self) -> bool {
        self.number == 1
    }

    pub(super) fn is_pausing(&self) -> bool {
        self.pause.is_some()
    }

    pub(super) fn is_inbox(&self) -> bool {
        self.is_inbox
    }

    /// Waits before the next pass. The time since the last page was requested counts: what was uploaded after that waits already.
    pub(super) fn pause(&mut self) {
        let quiet = self.last_news.elapsed();
        let grown = if quiet < QUIET { Duration::ZERO } else { (quiet / 30).min(MAX_PAUSE) };
        // The time of the pass itself counts: what matters is a page a second at most.
        let least = (PAUSE_PER_PAGE * self.pages.max(1)).saturating_sub(self.began.elapsed());
        let pause = self.run.instance.config.relist.max(grown);
        let pause = pause.saturating_sub(self.asked.elapsed()).max(least);
        self.pause = Some(Box::pin(sleep(pause)));
    }

    /// Remembers where the next poll begins: where this one was, unless it saw all.
    pub(super) fn remember_position(self, was_early: bool) {
        let (instance, plan) = (&self.run.instance, &self.run.plan);
        if self.is_inbox && !plan.dry_run && instance.config.order == Order::Name {
            let is_unfinished = was_early && self.pause.is_none();
            // One that ended before it saw anything begins no other place.
            if self.position.is_some() || !is_unfinished {
                instance.cursors.set(&plan.prefix, self.position.filter(|_| is_unfinished));
            }
        }
    }
}
