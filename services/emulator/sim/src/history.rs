//! What happened, and what became of each upload.

use jiff::Timestamp;

use brigade_storage::object::Metadata;

/// One generation of one name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The bucket's name.
    pub bucket: String,
    /// The object's name.
    pub name: String,
    /// Its generation.
    pub generation: i64,
}

/// Who changed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A caller of the port: the code under test.
    Port,
    /// One of several callers of the port, by its number.
    Caller(u32),
    /// Another user of the bucket.
    External,
}

/// One change that was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutation {
    /// When, by the server's clock.
    pub at: Timestamp,
    /// Who did it.
    pub by: Actor,
    /// The generation that was created or changed; of a move or a copy, the source.
    pub place: Place,
    /// What was done to it.
    pub change: Change,
}

/// What was done to a generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was uploaded.
    Created {
        /// The generation that it replaced, if any.
        replaced: Option<i64>,
    },
    /// Its metadata or holds changed.
    Updated {
        /// What they count now.
        metageneration: i64,
        /// The custom metadata that it has now.
        metadata: Metadata,
    },
    /// It was renamed.
    Moved {
        /// Where its content is now.
        to: Place,
    },
    /// It was copied.
    Copied {
        /// Where the copy is.
        to: Place,
    },
    /// It was deleted; on a versioned bucket it is noncurrent now.
    Deleted,
    /// It was removed for good.
    Erased,
}

/// What became of one upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadOutcome {
    /// Where it was uploaded.
    pub uploaded: Place,
    /// By whom.
    pub by: Actor,
    /// Where its content is stored at the end: one place unless it was copied, none when it is gone.
    pub places: Vec<Place>,
    /// Who replaced or deleted content of this upload last, if anybody did.
    pub removed_by: Option<Actor>,
}

impl UploadOutcome {
    /// Its content is nowhere any more, and the code under test did it.
    pub fn is_lost(&self) -> bool {
        self.places.is_empty() && self.removed_by.is_some_and(|by| by != Actor::External)
    }
}

/// Follows every upload through the history.
pub(super) fn fates(history: &[Mutation]) -> Vec<UploadOutcome> {
    let mut fates: Vec<UploadOutcome> = Vec::new();
    for mutation in history {
        let Mutation { by, place, .. } = mutation;
        match &mutation.change {
            Change::Created { replaced } => {
                if let Some(generation) = *replaced {
                    let replaced = Place { generation, ..place.clone() };
                    remove(&mut fates, &replaced, *by);
                }
                fates.push(UploadOutcome {
                    uploaded: place.clone(),
                    by: *by,
                    places: vec![place.clone()],
                    removed_by: None,
                });
            }
            Change::Updated { .. } => {}
            Change::Moved { to } => {
                with(&mut fates, place, |fate, at| fate.places[at] = to.clone());
            }
            Change::Copied { to } => {
                with(&mut fates, place, |fate, _| fate.places.push(to.clone()));
            }
            Change::Deleted | Change::Erased => remove(&mut fates, place, *by),
        }
    }
    fates
}

fn remove(fates: &mut [UploadOutcome], place: &Place, by: Actor) {
    with(fates, place, |fate, at| {
        fate.places.remove(at);
        fate.removed_by = Some(by);
    });
}

/// Generations are unique, so one upload at most has content at a place.
fn with(
    fates: &mut [UploadOutcome],
    place: &Place,
    change: impl FnOnce(&mut UploadOutcome, usize),
) {
    let found = fates
        .iter_mut()
        .find_map(|fate| Some((fate.places.iter().position(|at| at == place)?, fate)));
    if let Some((at, fate)) = found {
        change(fate, at);
    }
}
