//! A request that was checked: what to replay, and where to go on.

use std::{collections::BTreeSet, sync::Arc};

use brigade_proto::v1::{ObjectFilter, Place, ReplayObjectsRequest};
use jiff::Timestamp;

use super::super::{
    list::limit,
    selection::{Selection, invalid},
    token,
};
use crate::{error::PollError, instance::Instance};

/// What a replay does.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) what: What,
    pub(super) filter: Option<ObjectFilter>,
    pub(super) selection: Selection,
    pub(super) dry_run: bool,
    pub(super) limit: usize,
    /// What failed after this is left out.
    pub(super) start: Timestamp,
    /// Begins after this name.
    pub(super) start_after: Option<String>,
    /// What a page token is for.
    request: ReplayObjectsRequest,
}

/// Which objects.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// Those that the selection has.
    Selected,
    /// Those of these names.
    Named(BTreeSet<String>),
}

// === impl Plan ===

impl Plan {
    pub(super) fn new(
        instance: &Arc<Instance>,
        request: ReplayObjectsRequest,
    ) -> Result<Self, PollError> {
        let filter = filter(&request)?;
        let all = ObjectFilter { place: Place::Failed.into(), ..ObjectFilter::default() };
        let selection = Selection::new(instance, filter.as_ref().unwrap_or(&all))?;
        let limit = limit(request.limit)?;
        let page_token = request.page_token.clone();
        let names = request.names.iter().cloned().collect();
        // A call that goes on may have another limit.
        let request = ReplayObjectsRequest { page_token: String::new(), limit: 0, ..request };
        let (start, start_after) = match token::decode(&request, &page_token)? {
            Some(last) => {
                let (start, last) = begun(&last)?;
                (start, Some(last))
            }
            None => (instance.clock.now(), None),
        };
        Ok(Self {
            what: if filter.is_some() { What::Selected } else { What::Named(names) },
            filter,
            selection,
            dry_run: request.dry_run,
            limit,
            start,
            start_after,
            request,
        })
    }

    /// The token of what is after the name `last`.
    pub(super) fn token(&self, last: &str) -> String {
        // No name has a line end.
        token::encode(&self.request, &format!("{}\n{last}", self.start))
    }
}

/// When the call of a token began, and the name after which it goes on.
fn begun(last: &str) -> Result<(Timestamp, String), PollError> {
    let parts = last.split_once('\n').and_then(|(start, last)| Some((start.parse().ok()?, last)));
    match parts {
        Some((start, last)) => Ok((start, last.to_owned())),
        None => invalid("page_token", "it is damaged; pass one of a response, unchanged"),
    }
}

/// The filter that the request has or means; nothing when it has names.
fn filter(request: &ReplayObjectsRequest) -> Result<Option<ObjectFilter>, PollError> {
    let ReplayObjectsRequest { filter, names, all, .. } = request;
    let given = [filter.is_some(), !names.is_empty(), *all];
    if given.into_iter().filter(|given| *given).count() != 1 {
        let why = "pass exactly one of filter, names and all: they say which objects are moved";
        return invalid("filter", why);
    }
    if !names.is_empty() {
        return Ok(None);
    }
    let failed = i32::from(Place::Failed);
    let filter = filter.clone().unwrap_or_default();
    if filter.place != failed && filter.place != i32::from(Place::Unspecified) {
        let why = "only failed objects can be replayed; pass PLACE_FAILED, or leave it out";
        return invalid("filter.place", why);
    }
    let everything = ObjectFilter { place: failed, ..ObjectFilter::default() };
    let filter = ObjectFilter { place: failed, ..filter };
    if filter == everything && !request.all {
        let why = "it is empty; set all in place of it to move every failed object";
        return invalid("filter", why);
    }
    Ok(Some(filter))
}
