//! The objects of a replay, some at a time.

use std::{collections::BTreeSet, ops::Bound, sync::Arc};

use brigade_proto::v1::{GetObjectRequest, Place};
use brigade_storage::Bucket;
use futures::{
    StreamExt as _, TryStreamExt as _,
    stream::{self, BoxStream},
};

use super::{
    super::{
        look, place,
        selection::{Selected, SelectedPage, Selection},
    },
    plan::{Plan, What},
};
use crate::{error::PollError, instance::Instance, retry::live_object};

/// Names that are looked up before the first of them is moved, and how many at once.
const NAMES: usize = 100;
const AT_ONCE: usize = 16;

/// Some objects, in the order of their keys.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) items: Vec<Item>,
    /// A replay after this key goes on behind the batch.
    pub(super) last: String,
    /// Objects that were looked at, in this batch and those before.
    pub(super) scanned: u64,
    pub(super) is_last: bool,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Item {
    /// Its name, or the name in the request.
    pub(super) key: String,
    /// Nothing when the failed location does not have it.
    pub(super) found: Option<Box<Selected>>,
}

pub(super) type Batches = BoxStream<'static, Result<Batch, PollError>>;

/// What the plan has.
pub(super) fn batches(instance: &Arc<Instance>, plan: &Plan) -> Result<Batches, PollError> {
    let start_after = &plan.start_after;
    match &plan.what {
        What::Selected => {
            let pages = plan.selection.clone().pages(start_after.clone());
            Ok(pages.map_ok(Batch::from).boxed())
        }
        What::Named(names) => named(instance, &plan.selection, names, start_after.as_ref()),
    }
}

impl From<SelectedPage> for Batch {
    fn from(page: SelectedPage) -> Self {
        let SelectedPage { objects, last_name: last, scanned, is_last } = page;
        let items = objects.into_iter().map(|selected| Item {
            key: selected.object.name.clone(),
            found: Some(Box::new(selected)),
        });
        Self { items: items.collect(), last, scanned, is_last }
    }
}

/// The objects of these names. All names are checked before the first is looked up.
fn named(
    instance: &Arc<Instance>,
    selection: &Selection,
    names: &BTreeSet<String>,
    start_after: Option<&String>,
) -> Result<Batches, PollError> {
    let now = instance.clock.now();
    let after = start_after.map_or(Bound::Unbounded, Bound::Excluded);
    let mut checked = Vec::new();
    for name in names.range::<String, _>((after, Bound::Unbounded)) {
        let request = GetObjectRequest { name: name.clone(), place: Place::Failed.into() };
        let candidates = look::candidates(&instance.config, &request, now)
            .map_err(|error| in_names(error, name))?;
        let candidates = candidates.into_iter().map(|(_, name)| name).collect();
        checked.push(Named { key: name.clone(), candidates });
    }
    let total = checked.len();
    let look = (selection.clone(), place::bucket(instance, Place::Failed));
    let batches = stream::iter(checked).chunks(NAMES).enumerate().then(move |(number, chunk)| {
        let (selection, failed) = look.clone();
        async move {
            let scanned = number * NAMES + chunk.len();
            let last = chunk.last().map(|named| named.key.clone()).unwrap_or_default();
            let looks = chunk.into_iter().map(|named| named.look(&selection, &*failed));
            let items = stream::iter(looks).buffered(AT_ONCE).try_collect().await?;
            Ok(Batch { items, last, scanned: scanned as u64, is_last: scanned == total })
        }
    });
    Ok(batches.boxed())
}

/// A name of the request, and the whole names that it may mean.
#[derive(Debug)]
struct Named {
    key: String,
    candidates: Vec<String>,
}

impl Named {
    async fn look(self, selection: &Selection, failed: &dyn Bucket) -> Result<Item, PollError> {
        let mut found = None;
        for name in &self.candidates {
            let live = live_object(failed, name).await?;
            found = live.and_then(|object| selection.select(object)).map(Box::new);
            if found.is_some() {
                break;
            }
        }
        Ok(Item { key: self.key, found })
    }
}

/// The error of a name, as one of the field that has it.
fn in_names(error: PollError, name: &str) -> PollError {
    match error {
        PollError::Invalid { why, .. } => {
            PollError::Invalid { field: "names", why: format!("{name:?}: {why}") }
        }
        error => error,
    }
}
