//! Whether a worker refuses one object after another.

use std::{
    collections::VecDeque,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use indexmap::IndexSet;

use crate::fold::fold;

/// So many reasons are reported, and so many are told apart.
const TOP: usize = 3;
const REASONS: usize = 32;

/// So many folders of refused objects are remembered.
const PREFIXES: usize = 8;

/// Counts refusals of different objects in a row, with none accepted.
#[derive(Debug)]
pub(crate) struct Streak {
    /// The limit without a probe, and the present one. 0: never.
    usual: u32,
    limit: u32,
    count: u32,
    /// Hashes of the objects that count, the last ones up to the limit.
    objects: IndexSet<u64>,
    reasons: Vec<Reason>,
    prefixes: VecDeque<String>,
}

/// Why objects were refused.
#[expect(clippy::struct_field_names, reason = "a group of equal reasons is named by its reason")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reason {
    pub(crate) count: u64,
    /// Without what differs from object to object.
    pub(crate) reason: String,
    /// The URI of the first object.
    pub(crate) example: String,
}

// === impl Streak ===

impl Streak {
    /// `limit`: the refusals that are too many; 0: never.
    pub(crate) fn new(limit: u32) -> Self {
        Self {
            usual: limit,
            limit,
            count: 0,
            objects: IndexSet::new(),
            reasons: Vec::new(),
            prefixes: VecDeque::new(),
        }
    }

    /// How many calls may be in flight at most, so that their refusals do not go beyond the limit. `None` while there is
    /// neither a streak nor a probe; 0 when it is tripped.
    pub(crate) fn allowance(&self) -> Option<usize> {
        let left = self.limit.saturating_sub(self.count);
        let is_probe = self.limit != self.usual;
        (self.count > 0 || is_probe).then(|| usize::try_from(left).unwrap_or(usize::MAX))
    }

    /// A refusal that was not deliberate. Whether it reaches the limit. An object counts once.
    pub(crate) fn refused(&mut self, object: &(String, i64), uri: &str, reason: &str) -> bool {
        if self.limit == 0 {
            return false;
        }
        if self.is_new(object) {
            self.count = self.count.saturating_add(1);
            self.group(fold(reason, &object.0), uri);
            self.remember_folder(folder(&object.0));
        }
        self.is_tripped()
    }

    /// The worker accepted an object: nothing of the streak is left, nor of a probe.
    pub(crate) fn accepted(&mut self) {
        *self = Self::new(self.usual);
    }

    /// Begins again with another limit: that of a probe.
    pub(crate) fn restart(&mut self, limit: u32) {
        *self = Self { limit, ..Self::new(self.usual) };
    }

    /// The most frequent reasons, three at most. Digits, quoted text, hexadecimal ids and file names are folded out, so
    /// that equal causes group.
    pub(crate) fn reasons(&self) -> Vec<Reason> {
        let mut reasons = self.reasons.clone();
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.count));
        reasons.truncate(TOP);
        reasons
    }

    /// The [`folder`]s of the last refused objects, different ones, at most 8.
    pub(crate) fn prefixes(&self) -> Vec<String> {
        self.prefixes.iter().cloned().collect()
    }

    pub(crate) fn is_tripped(&self) -> bool {
        self.limit > 0 && self.count >= self.limit
    }

    fn is_new(&mut self, object: &(String, i64)) -> bool {
        let mut hasher = DefaultHasher::new();
        object.hash(&mut hasher);
        let is_new = self.objects.insert(hasher.finish());
        if self.objects.len() > usize::try_from(self.limit).unwrap_or(usize::MAX) {
            self.objects.shift_remove_index(0);
        }
        is_new
    }

    fn group(&mut self, reason: String, uri: &str) {
        if let Some(equal) = self.reasons.iter_mut().find(|known| known.reason == reason) {
            equal.count += 1;
            return;
        }
        if self.reasons.len() == REASONS {
            let rarest = (0..REASONS).min_by_key(|&index| self.reasons[index].count);
            self.reasons.remove(rarest.unwrap_or_default());
        }
        self.reasons.push(Reason { count: 1, reason, example: uri.to_owned() });
    }

    fn remember_folder(&mut self, folder: &str) {
        self.prefixes.retain(|known| known != folder);
        self.prefixes.push_back(folder.to_owned());
        if self.prefixes.len() > PREFIXES {
            self.prefixes.pop_front();
        }
    }
}

/// An object's name up to its last `/`, which belongs to it. Nothing for a name without one.
pub(crate) fn folder(name: &str) -> &str {
    name.rfind('/').map_or("", |slash| &name[..=slash])
}

#[cfg(test)]
mod tests;
