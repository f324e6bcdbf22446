//! Which objects a filter selects: the one code path of listings and replays.

use std::sync::Arc;

use brigade_proto::v1::{InboxObject, ObjectFilter, Place};
use brigade_storage::{ListRequest, Object};
use futures::stream::{self, Stream};
use jiff::Timestamp;

use super::{describe::describe_now, place};
use crate::{
    config::Config, error::PollError, instance::Instance, name_glob::NameGlob, retry, wire,
};

/// Cloud Storage's largest page.
const PAGE: i32 = 1_000;
/// Cloud Storage's limit for an object's name, in bytes of UTF-8.
pub(crate) const MAX_NAME: usize = 1_024;

/// Objects of one place, by a filter that was checked.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    instance: Arc<Instance>,
    filter: ObjectFilter,
    place: Place,
    glob: Option<NameGlob>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

/// One object that a filter selects.
#[derive(Clone, Debug)]
pub(crate) struct Selected {
    pub(crate) object: Object,
    pub(crate) info: InboxObject,
}

/// What a page of the bucket's listing has for a filter.
#[derive(Clone, Debug)]
pub(crate) struct SelectedPage {
    /// In the order of their names; there may be none.
    pub(crate) objects: Vec<Selected>,
    /// A listing after this name goes on behind this page; empty while no object was listed.
    pub(crate) last_name: String,
    /// Objects that were looked at, in this page and those before.
    pub(crate) scanned: u64,
    /// Whether the listing has ended.
    pub(crate) is_last: bool,
}

// === impl Selection ===

impl Selection {
    /// Checks a filter.
    pub(crate) fn new(instance: &Arc<Instance>, filter: &ObjectFilter) -> Result<Self, PollError> {
        let place = place_in(filter)?;
        let selection = Self {
            place,
            glob: glob(&instance.config, place, filter)?,
            since: time("filter.since", filter.since.as_ref())?,
            until: time("filter.until", filter.until.as_ref())?,
            instance: instance.clone(),
            filter: filter.clone(),
        };
        selection.check_times()?;
        check_prefix(&filter.prefix)?;
        check_failure(place, filter)?;
        Ok(selection)
    }

    fn check_times(&self) -> Result<(), PollError> {
        match (self.since, self.until) {
            (Some(since), Some(until)) if since >= until => invalid(
                "filter.until",
                format!("{until} is not after filter.since, {since}: no object can match both"),
            ),
            _ => Ok(()),
        }
    }

    /// The pages of the place after the name `start_after`, in the order of names, each with what the filter selects of it. A page is
    /// in memory until the next one is asked for.
    pub(crate) fn pages(
        self,
        start_after: Option<String>,
    ) -> impl Stream<Item = Result<SelectedPage, PollError>> + Send + 'static {
        let prefix =
            format!("{}{}", place::prefix(&self.instance.config, self.place), self.common_prefix());
        let start = start_after.unwrap_or_default();
        let first = ListRequest {
            prefix,
            start: start.clone(),
            page_size: PAGE,
            page_token: String::new(),
        };
        let state = (self, Some(first), start, 0);
        stream::try_unfold(state, async |(selection, next, before, scanned)| {
            let Some(request) = next else { return Ok(None) };
            let bucket = place::bucket(&selection.instance, selection.place);
            let listed = retry::repeated(|| bucket.list(&request)).await?;
            let next = match listed.next {
                end if end.is_empty() => None,
                page_token => Some(ListRequest { page_token, ..request.clone() }),
            };
            let last = listed.objects.last().map_or(before, |object| object.name.clone());
            let mut objects = listed.objects;
            // Storage begins with the name itself.
            objects.retain(|object| request.start.is_empty() || object.name != request.start);
            let scanned = scanned + objects.len() as u64;
            let page = SelectedPage {
                objects: objects
                    .into_iter()
                    .filter_map(|object| selection.select(object))
                    .collect(),
                last_name: last.clone(),
                scanned,
                is_last: next.is_none(),
            };
            Ok(Some((page, (selection, next, last, scanned))))
        })
    }

    /// The object as the contract shows it, when it is in the place and the filter selects it.
    pub(crate) fn select(&self, object: Object) -> Option<Selected> {
        let instance = &self.instance;
        let is_there =
            place::find(&instance.config, &object.bucket, &object.name) == Some(self.place);
        // Folders that a console shows are no objects that were settled.
        let is_folder =
            object.size == 0 && object.name.ends_with('/') && self.place != Place::Inbox;
        if !is_there || is_folder {
            return None;
        }
        let info = describe_now(instance, self.place, &object);
        self.is_match(&object, &info).then_some(Selected { object, info })
    }

    /// Whether an object of the place has all that the filter asks for.
    fn is_match(&self, object: &Object, info: &InboxObject) -> bool {
        let filter = &self.filter;
        let settled = info.settle_time.as_ref().and_then(wire::from_timestamp);
        let at = settled.unwrap_or(object.created);
        info.path.starts_with(&filter.prefix)
            && self.glob.as_ref().is_none_or(|glob| glob.is_match(&info.path))
            && self.since.is_none_or(|since| at >= since)
            && self.until.is_none_or(|until| at < until)
            && (filter.kind.is_empty() || filter.kind == info.kind)
            && filter.status_code.is_none_or(|code| info.status_code == Some(code))
            && (filter.reason_group.is_empty() || filter.reason_group == info.reason_group)
    }

    /// What all selected names below the place begin with: the longer of the prefix and the glob's own.
    fn common_prefix(&self) -> &str {
        let glob = self.glob.as_ref().map(|glob| literal(glob.pattern())).unwrap_or_default();
        if glob.len() > self.filter.prefix.len() { glob } else { &self.filter.prefix }
    }
}

fn place_in(filter: &ObjectFilter) -> Result<Place, PollError> {
    match Place::try_from(filter.place) {
        Ok(Place::Unspecified) => invalid(
            "filter.place",
            "it is missing; pass PLACE_INBOX, PLACE_PROCESSED or PLACE_FAILED",
        ),
        Ok(place) => Ok(place),
        Err(_) => invalid("filter.place", format!("{} is no place", filter.place)),
    }
}

fn glob(
    config: &Config,
    place: Place,
    filter: &ObjectFilter,
) -> Result<Option<NameGlob>, PollError> {
    if filter.r#match.is_empty() {
        return Ok(None);
    }
    let field = "filter.match";
    let glob: NameGlob = filter.r#match.parse().or_else(|why: String| invalid(field, why))?;
    if let Some(location) = place::location(config, place) {
        let location = location.fixed();
        glob.check_below(&location).or_else(|_| {
            let pattern = glob.pattern();
            let why = format!("{pattern:?} begins with the place's own path, and globs are matched below {location}; leave that path out");
            invalid(field, why)
        })?;
    }
    let (literal, prefix) = (literal(glob.pattern()), &*filter.prefix);
    if !literal.starts_with(prefix) && !prefix.starts_with(literal) {
        return invalid(
            field,
            format!(
                "{:?} matches no name that begins with filter.prefix, {prefix:?}",
                glob.pattern()
            ),
        );
    }
    Ok(Some(glob))
}

/// What every name that the glob matches begins with.
fn literal(pattern: &str) -> &str {
    let end = pattern.find(['*', '?', '[', '{', '\\']).unwrap_or(pattern.len());
    &pattern[..end]
}

fn check_prefix(prefix: &str) -> Result<(), PollError> {
    if prefix.len() > MAX_NAME || prefix.contains(['\r', '\n']) {
        let why = format!(
            "no object's name begins so: names have {MAX_NAME} bytes at most, and no line breaks"
        );
        return invalid("filter.prefix", why);
    }
    Ok(())
}

/// Refuses what objects of a place never have.
fn check_failure(place: Place, filter: &ObjectFilter) -> Result<(), PollError> {
    let is_set = [
        ("filter.kind", !filter.kind.is_empty()),
        ("filter.status_code", filter.status_code.is_some()),
        ("filter.reason_group", !filter.reason_group.is_empty() && place == Place::Processed),
    ];
    match is_set.into_iter().find(|(_, is_set)| *is_set) {
        Some((field, _)) if place != Place::Failed => invalid(
            field,
            format!("only failed objects have one, and filter.place is {}", place.as_str_name()),
        ),
        _ => Ok(()),
    }
}

/// A time of a request.
pub(crate) fn time(
    field: &'static str,
    given: Option<&brigade_proto::Timestamp>,
) -> Result<Option<Timestamp>, PollError> {
    let Some(given) = given else { return Ok(None) };
    match wire::from_timestamp(given) {
        Some(time) => Ok(Some(time)),
        None => invalid(field, "it is out of range; pass a time of the years 1 to 9999"),
    }
}

/// The error of a field.
pub(crate) fn invalid<T>(field: &'static str, why: impl Into<String>) -> Result<T, PollError> {
    Err(PollError::Invalid { field, why: why.into() })
}
