//! What one run wrote, so that it can be removed again.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The outputs of one run by their whole names.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<BTreeMap<String, Entry>>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Entry {
    /// What the processor named.
    file: String,
    /// The generation that this run wrote.
    generation: Option<i64>,
    /// A write whose end is not known.
    in_flight: bool,
    /// Another run of the same bytes had written it.
    shared: bool,
}

/// What a run that fails must remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Removal {
    /// This generation.
    Written { name: String, generation: i64 },
    /// Whatever has this run's mark.
    InFlight { name: String },
}

// === impl Ledger ===

impl Ledger {
    /// Notes a write that is about to begin. The error is another file of this run that has the same name.
    pub(super) fn begin(&self, name: &str, file: &str) -> Result<(), String> {
        let mut entries = self.lock();
        let entry = entries.entry(name.to_owned()).or_default();
        if entry.file.is_empty() {
            file.clone_into(&mut entry.file);
        }
        if entry.file != file {
            return Err(entry.file.clone());
        }
        entry.in_flight = true;
        Ok(())
    }

    /// The write is done.
    pub(super) fn wrote(&self, name: &str, generation: i64) {
        let mut entries = self.lock();
        let entry = entries.entry(name.to_owned()).or_default();
        entry.generation = Some(generation);
        entry.in_flight = false;
    }

    /// Another run of the same bytes had written what this run replaces: it may have been accepted, so this run never removes
    /// the output.
    pub(super) fn share(&self, name: &str) {
        self.lock().entry(name.to_owned()).or_default().shared = true;
    }

    /// The write waits for the end of the run: nothing is written yet, and no other file of the run gets the name.
    pub(super) fn deferred(&self, name: &str) {
        self.lock().entry(name.to_owned()).or_default().in_flight = false;
    }

    /// The write was not applied, and will not be.
    pub(super) fn not_written(&self, name: &str) {
        let mut entries = self.lock();
        if let Some(entry) = entries.get_mut(name) {
            entry.in_flight = false;
            if entry.generation.is_none() {
                entries.remove(name);
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.lock().contains_key(name)
    }

    /// What this run must remove when it fails. Writes in flight come last.
    pub(super) fn removals(&self) -> Vec<Removal> {
        let entries = self.lock();
        let own = entries.iter().filter(|(_, entry)| !entry.shared);
        let (unknown, known): (Vec<_>, Vec<_>) = own.partition(|(_, entry)| entry.in_flight);
        let known = known.into_iter().filter_map(|(name, entry)| {
            Some(Removal::Written { name: name.clone(), generation: entry.generation? })
        });
        known
            .chain(unknown.into_iter().map(|(name, _)| Removal::InFlight { name: name.clone() }))
            .collect()
    }

    /// Each change is one step, so a panic while it is locked does no harm.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_removes_what_it_wrote_and_looks_for_what_is_in_flight() {
        let ledger = Ledger::default();
        for name in ["flies", "shared", "refused", "written"] {
            ledger.begin(name, "a").unwrap();
        }
        ledger.share("shared");
        ledger.wrote("shared", 1);
        ledger.wrote("written", 2);
        ledger.not_written("refused");
        let written = Removal::Written { name: "written".into(), generation: 2 };
        assert_eq!(ledger.removals(), [written, Removal::InFlight { name: "flies".into() }]);
        assert!(ledger.has("shared") && !ledger.has("refused"));
    }

    #[test]
    fn two_files_of_one_run_never_get_one_name() {
        let ledger = Ledger::default();
        ledger.begin("out/x.json", "a").unwrap();
        ledger.begin("out/x.json", "a").unwrap();
        assert_eq!(ledger.begin("out/x.json", "b"), Err("a".to_owned()));
    }
}
