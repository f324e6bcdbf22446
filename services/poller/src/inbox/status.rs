//! How much waits, is tried again, is in flight and was settled, and what stops the poller.

use std::{sync::Arc, time::Duration};

use brigade_proto::v1::{
    Count, GetStatusRequest, GetStatusResponse, InboxObject, InboxState, ObjectFilter, Place,
};
use futures::TryStreamExt as _;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use tokio::time::Instant;

use super::{
    describe::describe,
    place,
    selection::{Selected, Selection, invalid, time},
};
use crate::{
    brake::On,
    destination::dated,
    error::PollError,
    instance::Instance,
    lease::{LeaseManager, Scope},
    wire,
};

/// How old counts may be.
const MAX_AGE: Duration = Duration::from_secs(5);
/// Objects of each place that are looked at.
const DEFAULT_LIMIT: u64 = 10_000;
const MAX_LIMIT: u64 = 100_000;
/// "In the last day".
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// Where destinations have a date in their prefix, so many days are listed one by one.
const MAX_DAYS: usize = 32;

/// The state of the inbox.
pub(crate) async fn status(
    instance: &Arc<Instance>,
    request: GetStatusRequest,
) -> Result<GetStatusResponse, PollError> {
    let limit = match u64::try_from(request.limit) {
        Ok(0) => DEFAULT_LIMIT,
        Ok(limit) if limit <= MAX_LIMIT => limit,
        _ => return invalid("limit", format!("{} is not 0 to {MAX_LIMIT}", request.limit)),
    };
    let since = time("since", request.since.as_ref())?;
    let counts = counts(instance, request, since, limit).await?;
    let now = instance.clock.now();
    let _ = instance.brake.glance(now).await;
    let brake = instance.brake.on().filter(|_| instance.config.budgets.max_refusals > 0);
    let leases = LeaseManager::new(
        instance.settler.source(),
        &instance.config.inbox,
        Scope::default(),
        instance.clock.clone(),
        instance.process.clone(),
    );
    let holders = leases.holders().await?;
    let calls = instance.activity.calls();
    let away = instance.dispatcher.away_since().map(|since| since.elapsed());
    Ok(GetStatusResponse {
        inbox: instance.config.inbox.uri(),
        processed_location: instance.config.processed.uri(),
        failed_location: instance.config.failed.uri(),
        in_flight: calls.len().try_into().unwrap_or(i64::MAX),
        longest: calls.first().map(|call| {
            let took = Some(call.began.elapsed());
            describe(&instance.config, Place::Inbox, &call.object, now, took)
        }),
        concurrency: instance.dispatcher.limit().try_into().unwrap_or(i64::MAX),
        holders: holders.map(|(poll, holder)| wire::lease_holder(poll, &holder)).collect(),
        brake: brake.as_ref().map(On::to_event),
        breaker_since: away.and_then(|away| now.checked_sub(away).ok()).map(wire::timestamp),
        last_poll: instance.activity.last_poll(),
        instance_start_time: Some(wire::timestamp(instance.started)),
        ..counts
    })
}

/// The counts of this request, at most some seconds old, and not older than the end of the last poll. Callers at the same time wait for one count.
async fn counts(
    instance: &Arc<Instance>,
    request: GetStatusRequest,
    since: Option<Timestamp>,
    limit: u64,
) -> Result<GetStatusResponse, PollError> {
    let mut last = instance.counts.lock().await;
    let polled = instance.activity.last_poll().and_then(|poll| poll.end_time);
    if let Some((of, after, at, counts)) = &*last
        && *of == request
        && *after == polled
        && at.elapsed() < MAX_AGE
    {
        return Ok(counts.clone());
    }
    let now = instance.clock.now();
    let since = since.unwrap_or_else(|| now.checked_sub(DAY).unwrap_or(Timestamp::MIN));
    let (inbox, processed, failed) = futures::try_join!(
        inbox(instance, limit),
        settled(instance, Place::Processed, since, limit),
        settled(instance, Place::Failed, since, limit),
    )?;
    let counts = GetStatusResponse {
        count_time: Some(wire::timestamp(now)),
        processed: Some(processed),
        failed: Some(failed),
        since: Some(wire::timestamp(since)),
        ..inbox
    };
    *last = Some((request, polled, Instant::now(), counts.clone()));
    Ok(counts)
}

/// The counts of the inbox.
async fn inbox(instance: &Arc<Instance>, limit: u64) -> Result<GetStatusResponse, PollError> {
    let filter = ObjectFilter { place: Place::Inbox.into(), ..ObjectFilter::default() };
    let mut counts = GetStatusResponse::default();
    let [mut waiting, mut retrying, mut left_out] = [0_i64; 3];
    let mut look = |selected: Selected| {
        let info = selected.info;
        match info.state() {
            InboxState::Waiting => {
                waiting += 1;
                if uploaded(&info) < counts.oldest.as_ref().and_then(uploaded)
                    || counts.oldest.is_none()
                {
                    counts.oldest = Some(info);
                }
            }
            InboxState::Retrying => {
                retrying += 1;
                let known = counts.next_retry_time.as_ref().and_then(wire::from_timestamp);
                let next = info.retry_time.as_ref().and_then(wire::from_timestamp);
                counts.next_retry_time = known.into_iter().chain(next).min().map(wire::timestamp);
            }
            InboxState::LeftOut => left_out += 1,
            InboxState::InFlight | InboxState::Unspecified => {}
        }
    };
    let mut left = limit;
    let at_least = !each(Selection::new(instance, &filter)?, &mut left, &mut look).await?;
    let count = |value| Some(Count { value, at_least });
    (counts.waiting, counts.retrying) = (count(waiting), count(retrying));
    counts.left_out = count(left_out);
    Ok(counts)
}

fn uploaded(object: &InboxObject) -> Option<Timestamp> {
    object.object.as_ref()?.create_time.as_ref().and_then(wire::from_timestamp)
}

/// How many objects of a destination were settled since then.
async fn settled(
    instance: &Arc<Instance>,
    place: Place,
    since: Timestamp,
    limit: u64,
) -> Result<Count, PollError> {
    let (mut value, mut left) = (0, limit);
    for prefix in prefixes(instance, place, since) {
        let filter = ObjectFilter {
            place: place.into(),
            since: Some(wire::timestamp(since)),
            prefix,
            ..ObjectFilter::default()
        };
        let selection = Selection::new(instance, &filter)?;
        if !each(selection, &mut left, |_| value += 1).await? {
            return Ok(Count { value, at_least: true });
        }
    }
    Ok(Count { value, at_least: false })
}

/// Where in a place the objects are that were settled since then: with a `{date}` in its prefix, in the days since.
fn prefixes(instance: &Instance, place: Place, since: Timestamp) -> Vec<String> {
    let (config, now) = (&instance.config, instance.clock.now());
    let Some(location) = place::location(config, place) else { return Vec::new() };
    let fixed = place::prefix(config, place);
    if fixed == location.prefix {
        return vec![String::new()];
    }
    let first = since.to_zoned(TimeZone::UTC).start_of_day();
    let days = std::iter::successors(first.ok(), |day| day.tomorrow().ok());
    let days = days.take_while(|day| day.timestamp() <= now);
    let days: Vec<_> = days
        .take(MAX_DAYS + 1)
        .map(|day| dated(&location.prefix, day.timestamp())[fixed.len()..].to_owned())
        .collect();
    if days.len() > MAX_DAYS { vec![String::new()] } else { days }
}

/// Looks at the objects of a selection until so many of the place were listed as are left. Whether that was all.
async fn each(
    selection: Selection,
    left: &mut u64,
    mut look: impl FnMut(Selected),
) -> Result<bool, PollError> {
    let mut pages = std::pin::pin!(selection.pages(None));
    let before = *left;
    while let Some(page) = pages.try_next().await? {
        let is_all = page.is_last && page.scanned <= before;
        let most = usize::try_from(*left).unwrap_or(usize::MAX);
        page.objects.into_iter().take(most).for_each(&mut look);
        *left = before.saturating_sub(page.scanned);
        if is_all {
            return Ok(true);
        }
        if *left == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}
