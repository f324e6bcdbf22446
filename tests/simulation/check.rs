//! Whether a run kept the promises.

use std::collections::BTreeSet;

use brigade_poller::{filter::CONTROL_PREFIX, mark};
use brigade_proto::v1::Settlement;
use brigade_sim::{Actor, Change, Place, UploadOutcome};
use brigade_storage::{Metadata, Object};

use crate::{
    heard::{self, Heard},
    operators, outputs,
    people::{BUCKET, ELSEWHERE, NO_WORK},
    report::Report,
    run::{MAX_ATTEMPTS, MAX_LOSSES, Run},
    schedule::Schedule,
    worlds::{BLAME, Odd, Special},
};

/// Storage calls for one object in one poll, at most: what a settlement repeats and looks while everything fails.
const CALLS_PER_OBJECT: u64 = 120;

/// The same where nothing fails: a mark, a look, a move or a deletion, and one more when two polls meet.
const CALM_CALLS_PER_OBJECT: u64 = 4;

/// How many more where a worker's run is shared: all polls that wait for it hear its answer at once, and meet.
const MORE_FOR_SHARED: u64 = 3;

/// Calls of the worker about one object in an hour, at most.
const CALLS_PER_HOUR: u32 = 150;

/// Files that one process asks a broken deployment about, at most: its brake's 25, and the probes of 20 minutes, of 5, 10,
/// 20 and 40; and some, where the brake is lifted and goes on again meanwhile.
const FAILED_BEFORE_BRAKE: usize = 120;

/// Every promise that was broken, in words; empty when all were kept.
pub(crate) fn broken(run: &Run) -> Vec<String> {
    let mut broken = Vec::new();
    for fate in &run.fates {
        if let Some(why) = object(run, fate) {
            broken.push(format!("{}: {why}; {fate:?}", shown(&fate.uploaded)));
        }
    }
    broken.extend(honesty(run));
    broken.extend(liveness(run));
    broken.extend(economy(run));
    broken.extend(once(run));
    broken.extend(leases(run));
    broken.extend(calls(run));
    broken.extend(versions(run));
    broken.extend(brake(run));
    broken.extend(outputs::check::find(run).broken);
    broken
}

/// What became of one upload.
fn object(run: &Run, fate: &UploadOutcome) -> Option<String> {
    let own = match fate.by {
        Actor::External => None,
        Actor::Port => Some(CONTROL_PREFIX),
        Actor::Caller(_) => Some(outputs::PREFIX),
    };
    if let Some(own) = own {
        let is_own = fate.uploaded.name.starts_with(own);
        return (!is_own).then(|| format!("{:?} uploaded it", fate.by));
    }
    if fate.places.is_empty() {
        let wanted = fate.removed_by == Some(Actor::External) || is_copy_taken(run, fate);
        return (!wanted).then(|| "it is lost".to_owned());
    }
    let name = fate.uploaded.name.as_str();
    if !name.starts_with("in/") || NO_WORK.contains(&name) {
        let asked = run.heard.keys().any(|(asked, _)| asked == name);
        let touched = fate.places != [fate.uploaded.clone()];
        return (asked || touched).then(|| "it was no poller's business".to_owned());
    }
    let [place] = fate.places.as_slice() else {
        return Some(format!("it is in {} places", fate.places.len()));
    };
    settled(run, fate, place).or_else(|| written(run, fate, place))
}

/// Whether a person took the copy of an upload from its destination, before a poller removed what it was made of.
fn is_copy_taken(run: &Run, fate: &UploadOutcome) -> bool {
    let mut copies = run.history.iter().filter_map(|mutation| match &mutation.change {
        Change::Copied { to } if [&mutation.place, to].contains(&&fate.uploaded) => Some(to),
        _ => None,
    });
    copies.any(|copy| operators::is_taken(&run.history, copy))
}

/// Whether an object is where the worker's status sends it.
fn settled(run: &Run, fate: &UploadOutcome, place: &Place) -> Option<String> {
    let key = (fate.uploaded.name.clone(), fate.uploaded.generation);
    let heard = run.heard.get(&key).cloned().unwrap_or_default();
    let Heard { accepted, refused, last_word, .. } = heard;
    // Of two polls that hear different words, the first to write its own wins: then there is no last word.
    let last_word = last_word.filter(|_| run.schedule.is_one_by_one());
    let in_bucket = |elsewhere| if elsewhere { ELSEWHERE } else { BUCKET };
    if place.name.starts_with("processed/")
        && place.bucket == in_bucket(run.schedule.processed_elsewhere)
    {
        let wrong = accepted == 0 || last_word == Some(false);
        return wrong.then(|| format!("it is processed, and the worker said {heard:?}"));
    }
    let is_poison = run.schedule.worlds.is_poison(&fate.uploaded.name);
    if place.name.starts_with("failed/") && place.bucket == in_bucket(run.schedule.failed_elsewhere)
    {
        // A file that hangs is at work whenever another process's file ends the worker, and looks alone to its own.
        let hangs =
            matches!(run.schedule.worlds.special.get(&fate.uploaded.name), Some(Special::Hangs));
        let is_killer = (is_poison || hangs) && heard.died + heard.lost >= MAX_LOSSES;
        let may_fail = refused > 0 || heard.attempts() >= MAX_ATTEMPTS || is_killer;
        let wrong = !may_fail || last_word == Some(true);
        return wrong.then(|| format!("it is failed, and the worker said {heard:?}"));
    }
    if place.name.starts_with("in/") {
        let is_noted = run.written.get(place).is_some_and(|marks| marks.contains_key(mark::LOSSES));
        // With nothing beside it, an answer like a fault of the wiring may be one.
        let is_odd =
            matches!(run.schedule.worlds.special.get(&fate.uploaded.name), Some(Special::Odd(_)));
        // Where only files are left that always ask for time, it may be the worker that asks.
        let asked_to_wait = heard.postponed + heard.beside;
        let is_waiting = run.schedule.worlds.is_long_lived && asked_to_wait > MAX_ATTEMPTS;
        let wrong = !(is_poison && is_noted || is_odd && heard.doubts > 0 || is_waiting);
        return wrong.then(|| format!("it was never settled; the worker said {heard:?}"));
    }
    Some("it is where nothing belongs".to_owned())
}

/// Whether what is written on a settled object says where it is, and the first verdict that was written on it counted,
/// however many polls were at it.
fn written(run: &Run, fate: &UploadOutcome, place: &Place) -> Option<String> {
    let own = |metadata: &Metadata| {
        let source = metadata.get(mark::SOURCE);
        let end = format!("#{}", fate.uploaded.generation);
        source.is_some_and(|source| source.ends_with(&end))
    };
    if place.name == fate.uploaded.name {
        // A file that ends the worker, noted.
        return None;
    }
    let is_failed = place.name.starts_with("failed/");
    let status = if is_failed { "failed" } else { "processed" };
    let marks = run.written.get(place)?;
    let marked = marks.get(mark::STATUS);
    let needs_mark = is_failed || run.schedule.processed_elsewhere;
    let is_dated = |key| marks.contains_key(key);
    let contradicts = marked.is_some_and(|marked| marked != status || !own(marks))
        || is_dated(mark::FAILED_AT) != is_failed
        || is_dated(mark::PROCESSED_AT) != (!is_failed && marked.is_some());
    if contradicts || (needs_mark && marked.is_none()) {
        return Some(format!("it does not say where it is: {marks:?}"));
    }
    let first = run.history.iter().find_map(|mutation| {
        let Change::Updated { metadata, .. } = &mutation.change else {
            return None;
        };
        let is_written = mutation.place == fate.uploaded && own(metadata);
        metadata.get(mark::STATUS).filter(|_| is_written)
    })?;
    (first != status).then(|| format!("its first verdict was {first}"))
}

/// Whether polls and replays reported the truth.
fn honesty(run: &Run) -> Vec<String> {
    let mut arrived = BTreeSet::new();
    for mutation in &run.history {
        if let Change::Moved { to } | Change::Copied { to } = &mutation.change {
            arrived.insert((mutation.place.generation, uri(to)));
        }
    }
    let alone = run.schedule.is_one_by_one();
    let mut broken = Vec::new();
    for said in run.reports.iter().flat_map(|report| &report.settled) {
        let moved = matches!(said.settlement, Settlement::Processed | Settlement::Failed);
        if moved && !arrived.contains(&(said.generation, said.destination.clone())) {
            broken.push(format!("it was never moved there: {said:?}"));
        }
        // A replay moves an object that is settled, before its poll has heard of it.
        if said.settlement == Settlement::Superseded
            && alone
            && run.schedule.replays == 0
            && !was_taken_away(run, said.generation)
        {
            broken.push(format!("nothing superseded it: {said:?}"));
        }
    }
    let never = |said: &&operators::Replayed| {
        !arrived.contains(&(said.generation, said.destination.clone()))
    };
    let never = run.replayed.iter().filter(never);
    broken.extend(never.map(|said| format!("it was never replayed: {said:?}")));
    broken
}

fn was_taken_away(run: &Run, generation: i64) -> bool {
    run.fates.iter().any(|fate| {
        fate.uploaded.generation == generation && fate.removed_by == Some(Actor::External)
    })
}

/// Whether the polls after the trouble brought everything to its end, but for what the worker itself puts off: a file, or all
/// of them once several have been put off and none was accepted.
fn liveness(run: &Run) -> Vec<String> {
    let is_put_off = |object: &&Object| {
        let heard = run.heard.get(&(object.name.clone(), object.generation));
        heard.is_some_and(|heard| heard.postponed + heard.beside + heard.doubts > 0)
    };
    let (put_off, left): (Vec<_>, Vec<_>) = run.left.iter().partition(is_put_off);
    if put_off.len() >= heard::MANY {
        return Vec::new();
    }
    let is_bad = |object: &&Object| run.schedule.worlds.special.contains_key(&object.name);
    left.into_iter()
        .filter(|object| !is_bad(object))
        .map(|object| {
            format!("{:?}#{} is left after the quiet polls", object.name, object.generation)
        })
        .collect()
}

/// Whether no more storage calls were made than the work needs.
fn economy(run: &Run) -> Vec<String> {
    let unheard = |report: &&Report| report.is_partial();
    let reports = &run.reports;
    let settled: u64 = reports.iter().map(|report| report.settled.len() as u64).sum();
    let names = run.schedule.names as u64;
    let partial = reports.iter().filter(unheard).count() as u64;
    let walked = settled + names * partial + run.deliveries;
    let calls = run.counts.calls - run.counts.lease - run.counts.lists;
    let bound = if run.schedule.is_calm() {
        (CALM_CALLS_PER_OBJECT + MORE_FOR_SHARED * run.is_shared() + run.copy_calls()) * settled
    } else {
        CALLS_PER_OBJECT * walked
    };
    let wasted = calls > bound;
    let report = || format!("{calls} storage calls for {walked} objects");
    wasted.then(report).into_iter().collect()
}

/// Whether the worker returned a status for every upload once, where no poll died and neither storage nor people came between
/// its word and the move.
///
/// A process that stood still may have had a call in flight, which its successor made again: that is one more. Polls
/// that were awake all the time never share an upload while the lease is at work.
fn once(run: &Run) -> Vec<String> {
    let Schedule { faults, crashes, meddling, lease, .. } = run.schedule;
    let disturbed = faults > 0 || crashes > 0 || meddling > 0;
    // An event takes no lease.
    let events_apart = run.schedule.worlds.has_events && run.polls().any(|poll| poll.instance > 0);
    if disturbed || events_apart || !(lease || run.schedule.is_one_by_one()) {
        return Vec::new();
    }
    let stalled: BTreeSet<u64> =
        run.polls().filter(|report| report.stalled).map(|report| report.instance).collect();
    let awake = |instance: &&u64| !stalled.contains(*instance);
    // The first 422 may be about the worker: that file is asked about again.
    let is_doubted = |name: &str| {
        run.schedule.worlds.special.get(name) == Some(&Special::Odd(Odd::Unprocessable))
    };
    let twice = run.heard.iter().filter(|(object, heard)| {
        heard.by.iter().filter(awake).count() > 1 && !is_doubted(&object.0)
    });
    twice.map(|(object, heard)| format!("{object:?} was processed twice: {heard:?}")).collect()
}

/// Whether every poll kept its lease that was awake all the time, while the storage answered.
fn leases(run: &Run) -> Vec<String> {
    if run.schedule.faults > 0 {
        return Vec::new();
    }
    let robbed = |report: &&Report| report.lost_its_lease() && !report.stalled;
    let robbed = run.reports.iter().filter(robbed);
    robbed
        .map(|report| format!("poll {} lost a lease that it renewed in time", report.poll))
        .collect()
}

/// Whether no process asked more at once, or more often, than it may.
fn calls(run: &Run) -> Vec<String> {
    let mut broken = Vec::new();
    let (most, limit) = (run.seen.most, run.schedule.concurrency);
    if most > limit {
        broken.push(format!("{most} calls of one process at once, and it may have {limit}"));
    }
    for object in &run.seen.twice {
        broken.push(format!("one process called the worker twice at once about {object:?}"));
    }
    let is_bounded = BLAME || run.schedule.worlds.capacity.is_none();
    let often = run.heard.iter().filter(|(_, heard)| is_bounded && heard.most > CALLS_PER_HOUR);
    broken.extend(often.map(|(object, heard)| {
        format!("the worker was asked about {object:?} {} times in an hour", heard.most)
    }));
    broken
}

/// Whether a broken deployment cost no more good files than the brake lets fail.
fn brake(run: &Run) -> Option<String> {
    if !run.schedule.worlds.is_broken() {
        return None;
    }
    let failed = run.fates.iter().filter(|fate| {
        let key = (fate.uploaded.name.clone(), fate.uploaded.generation);
        let only_then = run
            .heard
            .get(&key)
            .is_some_and(|heard| heard.broken > 0 && heard.refused == heard.broken);
        only_then && fate.places.iter().any(|place| place.name.starts_with("failed/"))
    });
    let failed = failed.count();
    let instances: BTreeSet<_> = run.reports.iter().map(|report| report.instance).collect();
    let bound = instances.len() * FAILED_BEFORE_BRAKE;
    let wasted = failed > bound;
    wasted.then(|| {
        format!("a broken deployment failed {failed} files, and the brake lets {bound} fail")
    })
}

/// Whether a bucket that keeps versions still has every one that it ever had. Those of the lease are no data.
fn versions(run: &Run) -> Vec<String> {
    if !run.schedule.versioned {
        return Vec::new();
    }
    let made = run.history.iter().filter_map(|mutation| match &mutation.change {
        Change::Created { .. } => Some(&mutation.place),
        Change::Moved { to } | Change::Copied { to } => Some(to),
        Change::Updated { .. } | Change::Deleted | Change::Erased => None,
    });
    made.filter(|place| !place.name.starts_with(CONTROL_PREFIX))
        .filter(|place| !run.versions.contains(place))
        .map(|place| format!("{}: this version was removed for good", shown(place)))
        .collect()
}

fn shown(place: &Place) -> String {
    format!("{:?}#{}", place.name, place.generation)
}

fn uri(place: &Place) -> String {
    format!("gs://{}/{}", place.bucket, place.name)
}
