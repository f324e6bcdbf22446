//! Whether the outputs of a run are as safe as its inputs.

use std::collections::{BTreeMap, BTreeSet};

use brigade_sim::{Actor, Change, Mutation, Place};
use brigade_storage::{Pinned, provenance};
use jiff::Timestamp;

use super::{
    Outputs, PREFIX, Template, path,
    workers::{Called, Caller, End},
};
use crate::{heard::Key, people::BUCKET, run::Run};

/// What is known of the outputs of a run.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) outputs: Outputs,
    pub(crate) called: Vec<Called>,
    pub(crate) callers: Vec<Caller>,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    /// Promises that were broken, in words.
    pub(crate) broken: Vec<String>,
    /// Outputs that were written, and those that are there in the end.
    pub(crate) written: u64,
    pub(crate) visible: u64,
    /// Those whose object was not accepted, or was gone: a killed run left them, or one that storage failed.
    pub(crate) left: u64,
    /// Those that have their object's generation in their name.
    pub(crate) beside: u64,
    /// Results of an accepted object that a newer upload of it replaced, and took away when it failed.
    pub(crate) taken: u64,
    /// What newer uploads of the same object replaced.
    replaced: BTreeSet<(Key, String)>,
}

/// An output as the history has it.
struct Output {
    /// Nothing when no worker wrote it.
    of: Option<Key>,
    at: Timestamp,
    /// Its object was gone when it was written.
    is_late: bool,
}

/// Follows every output through the history, and holds what is left against what the runs said.
pub(crate) fn find(run: &Run) -> Found {
    let mut found = Found::default();
    let Some(written) = &run.written_outputs else {
        return found;
    };
    let outputs = follow(run, written, &mut found);
    for (place, output) in &outputs {
        if let Some(key) = &output.of {
            found.visible += 1;
            visible(run, written, place, output, key, &mut found);
        }
    }
    accepted(run, written, &outputs, &mut found);
    found
}

/// Who wrote what: an output is replaced or removed by a run of the same object alone, and never by an older one.
fn follow(run: &Run, written: &Written, found: &mut Found) -> BTreeMap<Place, Output> {
    let mut live = BTreeSet::new();
    let mut outputs = BTreeMap::<Place, Output>::new();
    for Mutation { at, by, place, change } in &run.history {
        let key = match by {
            Actor::Caller(number) => Some(&written.callers[*number as usize].key),
            Actor::Port | Actor::External => None,
        };
        if !is_output(place) {
            if let Some(key) = key {
                found.broken.push(format!("a worker of {key:?} changed {place:?}"));
            }
            follow_source(&mut live, place, change);
            continue;
        }
        let gone = match change {
            Change::Created { replaced } => {
                replaced.map(|generation| Place { generation, ..place.clone() })
            }
            Change::Deleted | Change::Erased => Some(place.clone()),
            Change::Updated { .. } | Change::Moved { .. } | Change::Copied { .. } => {
                found.broken.push(format!("{by:?} changed the output {place:?}"));
                None
            }
        };
        if let Some(gone) = gone.and_then(|gone| outputs.remove(&gone))
            && let Some(key) = key
        {
            match gone.of {
                Some(of) if of.0 == key.0 && of.1 <= key.1 => {
                    if of.1 < key.1 && *change != Change::Deleted {
                        found.replaced.insert((of, place.name.clone()));
                    }
                }
                of => found.broken.push(format!(
                    "{place:?}, the output of {of:?}, was replaced or removed by {key:?}"
                )),
            }
        }
        if let Change::Created { .. } = change {
            found.written += u64::from(key.is_some());
            let is_late = key.is_some_and(|key| !live.contains(key));
            outputs.insert(place.clone(), Output { of: key.cloned(), at: *at, is_late });
        }
    }
    outputs
}

fn is_output(place: &Place) -> bool {
    place.name.starts_with(PREFIX)
}

/// Which objects are in the inbox.
fn follow_source(live: &mut BTreeSet<Key>, place: &Place, change: &Change) {
    // A replay puts a failed object back.
    if let Change::Moved { to } | Change::Copied { to } = change
        && to.name.starts_with("in/")
    {
        live.insert((to.name.clone(), to.generation));
    }
    if place.bucket != BUCKET {
        return;
    }
    let key = (place.name.clone(), place.generation);
    match change {
        Change::Created { replaced } => {
            if let Some(generation) = replaced {
                live.remove(&(place.name.clone(), *generation));
            }
            live.insert(key);
        }
        Change::Moved { .. } | Change::Deleted | Change::Erased => {
            live.remove(&key);
        }
        Change::Updated { .. } | Change::Copied { .. } => {}
    }
}

/// Whether an output that is there says what it was made of, has a name that says so too, and was made of something that the
/// worker accepted.
fn visible(
    run: &Run,
    written: &Written,
    place: &Place,
    output: &Output,
    key: &Key,
    found: &mut Found,
) {
    let marks = run.written.get(place);
    let pinned = Pinned { name: &key.0, generation: key.1 };
    let said = |name| marks.and_then(|marks| marks.get(name)).map(String::as_str);
    if said(provenance::KEY) != Some(&provenance::key(BUCKET, pinned))
        || said(provenance::SOURCE) != Some(&provenance::source(BUCKET, pinned))
        || said(provenance::INBOX) != Some("gs://data/in/")
        || said(provenance::HOPS) != Some("1")
    {
        found.broken.push(format!("{place:?} does not say that it was made of {key:?}: {marks:?}"));
    }
    let begin = match written.outputs.template {
        Template::PathFile => format!("{PREFIX}{}/", path(&key.0)),
        Template::File => format!("{PREFIX}shared-"),
        Template::Stem => format!("{PREFIX}{}.", path(&key.0)),
    };
    if !place.name.starts_with(&begin) {
        found.broken.push(format!("{place:?} is made of {key:?}, and is not named after it"));
    }
    found.beside += u64::from(place.name.contains(&key.1.to_string()));
    let is_accepted =
        written.of(key).any(|called| matches!(called.end, End::Well(_) | End::Unheard));
    if is_accepted && !output.is_late {
        return;
    }
    if written.may_be_left(run, key, output) {
        found.left += 1;
        return;
    }
    let why = if is_accepted {
        "was written after that was superseded"
    } else {
        "no run of it ended well"
    };
    let ends: Vec<_> = written.of(key).collect();
    found.broken.push(format!("{place:?} is an output of {key:?}, and {why}: {ends:?}"));
}

/// Whether every output that an accepted object's last run reported is there, unless a newer upload replaced it.
fn accepted(run: &Run, written: &Written, outputs: &BTreeMap<Place, Output>, found: &mut Found) {
    let begin = format!("gs://{}/", written.outputs.bucket());
    let mut there = BTreeMap::<&str, &Key>::new();
    for (place, output) in outputs {
        if let Some(key) = &output.of {
            there.insert(&place.name, key);
        }
    }
    for fate in &run.fates {
        let is_processed = fate.places.iter().any(|place| place.name.starts_with("processed/"));
        let key = (fate.uploaded.name.clone(), fate.uploaded.generation);
        let ends = written.of(&key).filter_map(|called| match &called.end {
            End::Well(outputs) => Some(outputs),
            _ => None,
        });
        let Some(reported) = ends.last().filter(|_| is_processed) else {
            continue;
        };
        for uri in reported {
            let name = uri.strip_prefix(&begin).unwrap_or_default();
            if there.get(name).is_some_and(|of| of.0 == key.0 && of.1 >= key.1) {
                continue;
            }
            if found.replaced.contains(&(key.clone(), name.to_owned())) {
                found.taken += 1;
                continue;
            }
            let ends: Vec<_> = written.of(&key).collect();
            found
                .broken
                .push(format!("{key:?} is processed, and its output {uri} is not there: {ends:?}"));
        }
    }
}

// === impl Written ===

impl Written {
    fn of<'a>(&'a self, key: &'a Key) -> impl Iterator<Item = &'a Called> {
        self.called.iter().filter(move |called| called.key == *key)
    }

    fn caller(&self, called: &Called) -> &Caller {
        &self.callers[called.caller as usize]
    }

    /// Whether a run of this generation was killed, or storage failed it, and no later run has removed what that left: in its
    /// own folder, a run of the same generation, or of a newer one that was there when this was written.
    fn may_be_left(&self, run: &Run, key: &Key, output: &Output) -> bool {
        let disturbed = |called: &&Called| {
            let caller = self.caller(called);
            called.end == End::Killed || caller.is_killed || caller.is_failed
        };
        let Some(last) =
            self.called.iter().rposition(|called| called.key == *key && disturbed(&called))
        else {
            return false;
        };
        if self.outputs.template != Template::PathFile {
            return true;
        }
        let created = |key: &Key| {
            let fate = run.history.iter().find(|mutation| {
                mutation.place.name == key.0 && mutation.place.generation == key.1
            });
            fate.map(|fate| fate.at)
        };
        let mut later = self.called.iter().skip(last + 1).filter(|called| !disturbed(called));
        !later.any(|called| {
            let ends = matches!(called.end, End::Well(_) | End::Refused);
            let newer =
                called.key.1 > key.1 && created(&called.key).is_some_and(|at| at <= output.at);
            ends && called.key.0 == key.0 && (called.key.1 == key.1 || newer)
        })
    }
}
