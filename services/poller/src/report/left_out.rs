//! Says that filters leave out everything that a poll lists, which is a typing error more often than not.

use std::sync::atomic::{AtomicBool, Ordering};

use brigade_proto::v1::Filter;
use tracing::warn;

use crate::{config::Config, name_glob::NameGlob};

/// How many objects of one poll each filter left out that an operator sets, or that outputs meet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LeftOut {
    unmatched: u64,
    excluded: u64,
    empty: u64,
    outputs: u64,
    /// Objects that are work, if not now.
    later: u64,
}

// === impl LeftOut ===

impl LeftOut {
    pub(super) fn add(&mut self, filter: Filter) {
        match filter {
            Filter::Match => self.unmatched += 1,
            Filter::Exclude => self.excluded += 1,
            Filter::Empty => self.empty += 1,
            Filter::Output => self.outputs += 1,
            Filter::MinAge | Filter::NotDue | Filter::Held | Filter::InFlight => self.later += 1,
            // Never files.
            Filter::Folder
            | Filter::Control
            | Filter::Destination
            | Filter::Unfinished
            | Filter::Unspecified => {}
        }
    }

    /// Warns, if these are all that a whole listing had, once until a poll finds an object again. `said` keeps that.
    pub(super) fn warn_once(self, found: i64, config: &Config, said: &AtomicBool) {
        if found > 0 {
            said.store(false, Ordering::Relaxed);
        }
        let filters = self.describe(config);
        if found > 0 || self.later > 0 || filters.is_empty() || said.swap(true, Ordering::Relaxed) {
            return;
        }
        warn!(
            filters,
            "filters leave out every object of the inbox: nothing is passed to the worker; check them if you expect \
             files to be processed"
        );
    }

    fn describe(self, config: &Config) -> String {
        let pattern = |glob: Option<&NameGlob>| glob.map_or("", NameGlob::pattern).to_owned();
        let parts = [
            (
                self.unmatched,
                format!("not matched by BRIGADE_MATCH={}", pattern(config.matching.as_ref())),
            ),
            (
                self.excluded,
                format!("excluded by BRIGADE_EXCLUDE={}", pattern(config.exclude.as_ref())),
            ),
            (self.empty, "empty, by BRIGADE_SKIP_EMPTY=true".to_owned()),
            (self.outputs, "outputs of this inbox's own files, or of a ring of stages".to_owned()),
        ];
        let parts = parts.into_iter().filter(|(count, _)| *count > 0);
        let parts: Vec<_> = parts.map(|(count, what)| format!("{count} {what}")).collect();
        parts.join("; ")
    }
}
