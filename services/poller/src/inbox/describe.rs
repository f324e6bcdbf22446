//! An object as the contract shows it, with what the poller wrote on it.

use std::time::Duration;

use brigade_proto::v1::{Filter, InboxObject, InboxState, Place};
use brigade_storage::{Object, provenance};
use jiff::Timestamp;

use super::place::path;
use crate::{
    config::Config,
    filter::{self, Skip},
    fold::fold,
    instance::Instance,
    mark, wire,
};

/// An object of a place, as this instance sees it now.
pub(crate) fn describe_now(instance: &Instance, place: Place, object: &Object) -> InboxObject {
    let in_flight = (place == Place::Inbox).then(|| instance.activity.in_flight(object)).flatten();
    describe(&instance.config, place, object, instance.clock.now(), in_flight)
}

/// An object of a place. `in_flight`: for how long this instance has had it in flight.
pub(crate) fn describe(
    config: &Config,
    place: Place,
    object: &Object,
    now: Timestamp,
    in_flight: Option<Duration>,
) -> InboxObject {
    let described = InboxObject {
        object: Some(wire::object(object)),
        place: place.into(),
        path: path(config, place, &object.name).to_owned(),
        ..InboxObject::default()
    };
    match place {
        Place::Processed | Place::Failed => settled(described, place, object),
        Place::Inbox | Place::Unspecified => waiting(described, config, object, now, in_flight),
    }
}

fn waiting(
    described: InboxObject,
    config: &Config,
    object: &Object,
    now: Timestamp,
    in_flight: Option<Duration>,
) -> InboxObject {
    let (state, detail) = match filter::skip_listed(config, object, now) {
        _ if in_flight.is_some() => (InboxState::InFlight, String::new()),
        None => (InboxState::Waiting, String::new()),
        // The next poll takes it, or one soon after that.
        Some(Skip { filter: Filter::MinAge, detail }) => (InboxState::Waiting, detail),
        Some(Skip { filter: Filter::NotDue, .. }) => (InboxState::Retrying, String::new()),
        Some(Skip { filter, detail }) => {
            (InboxState::LeftOut, format!("{}: {detail}", filter.as_str_name()))
        }
    };
    let reason = mark::reason(object);
    InboxObject {
        state: state.into(),
        detail,
        attempts: mark::attempts(object).into(),
        retry_time: mark::due(object).filter(|due| *due > now).map(wire::timestamp),
        reason: reason.to_owned(),
        reason_group: fold(reason, &object.name),
        in_flight: in_flight.map(wire::duration),
        ..described
    }
}

/// A mark of another verdict than that of the place tells nothing: a person moved the object there.
fn settled(described: InboxObject, place: Place, object: &Object) -> InboxObject {
    let (status, at) = match place {
        Place::Failed => (mark::FAILED, mark::FAILED_AT),
        _ => (mark::PROCESSED, mark::PROCESSED_AT),
    };
    let written = |key: &str| object.metadata.get(key).map(String::as_str).unwrap_or_default();
    if written(mark::STATUS) != status {
        // A move makes a new generation.
        return InboxObject { settle_time: Some(wire::timestamp(object.created)), ..described };
    }
    let source = provenance::source_in(&object.metadata);
    let name = source.map_or_else(|| object.name.clone(), |source| source.name);
    let reason = written(mark::REASON);
    InboxObject {
        attempts: written(mark::ATTEMPTS).parse().unwrap_or(0),
        settle_time: Some(wire::timestamp(written(at).parse().unwrap_or(object.created))),
        status_code: mark::grpc_code(written(mark::CODE)),
        code: written(mark::CODE).to_owned(),
        kind: written(mark::KIND).to_owned(),
        exit: written(mark::EXIT).to_owned(),
        reason: reason.to_owned(),
        reason_group: fold(reason, &name),
        outputs: mark::outputs_from(written(mark::OUTPUTS)),
        source: written(mark::SOURCE).to_owned(),
        ..described
    }
}
