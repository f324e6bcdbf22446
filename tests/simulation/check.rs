//! Whether a run kept the promises.

use std::collections::BTreeSet;

use brigade_proto::v1::Settlement;
use brigade_storage::sim::{By, Change, Fate, Place};

use crate::{
    people::{BUCKET, ELSEWHERE},
    run::{MAX_ATTEMPTS, Run},
    worker::Heard,
};

/// Storage calls for one object in one poll, at most: what a settlement repeats and looks while everything fails.
const CALLS_PER_OBJECT: u64 = 120;

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
    broken
}

/// What became of one upload.
fn object(run: &Run, fate: &Fate) -> Option<String> {
    if fate.by == By::Port {
        let own = fate.uploaded.name.starts_with(".brigade/");
        return (!own).then(|| "a poller uploaded it".to_owned());
    }
    if fate.places.is_empty() {
        return (fate.removed_by != Some(By::People)).then(|| "it is lost".to_owned());
    }
    if !fate.uploaded.name.starts_with("in/") {
        let touched = fate.places != [fate.uploaded.clone()];
        return touched.then(|| "it was no poller's business".to_owned());
    }
    let [place] = fate.places.as_slice() else {
        return Some(format!("it lies in {} places", fate.places.len()));
    };
    settled(run, fate, place)
}

/// Whether an object lies where the worker's own words send it.
fn settled(run: &Run, fate: &Fate, place: &Place) -> Option<String> {
    let key = (fate.uploaded.name.clone(), fate.uploaded.generation);
    let heard = run.heard.get(&key).cloned().unwrap_or_default();
    let Heard {
        accepted,
        refused,
        postponed,
        ..
    } = heard;
    let in_bucket = |elsewhere| if elsewhere { ELSEWHERE } else { BUCKET };
    if place.name.starts_with("processed/")
        && place.bucket == in_bucket(run.schedule.processed_elsewhere)
    {
        return (accepted == 0).then(|| format!("it is processed, and the worker said {heard:?}"));
    }
    if place.name.starts_with("failed/") && place.bucket == in_bucket(run.schedule.failed_elsewhere)
    {
        let may_fail = refused > 0 || postponed >= MAX_ATTEMPTS;
        return (!may_fail).then(|| format!("it is failed, and the worker said {heard:?}"));
    }
    if place.name.starts_with("in/") {
        return Some(format!("it was never settled; the worker said {heard:?}"));
    }
    Some("it lies where nothing belongs".to_owned())
}

/// Whether the polls told the truth.
fn honesty(run: &Run) -> Vec<String> {
    let mut arrived = BTreeSet::new();
    for mutation in &run.history {
        if let Change::Moved { to } | Change::Copied { to } = &mutation.change {
            arrived.insert((mutation.place.generation, uri(to)));
        }
    }
    let alone = run.schedule.pollers == 1 && !run.schedule.overlapping;
    let mut broken = Vec::new();
    for said in run.reports.iter().flat_map(|report| &report.settled) {
        let moved = matches!(said.settlement, Settlement::Processed | Settlement::Failed);
        if moved && !arrived.contains(&(said.generation, said.destination.clone())) {
            broken.push(format!("it was never moved there: {said:?}"));
        }
        if said.settlement == Settlement::Superseded
            && alone
            && !was_taken_away(run, said.generation)
        {
            broken.push(format!("nobody superseded it: {said:?}"));
        }
    }
    broken
}

fn was_taken_away(run: &Run, generation: i64) -> bool {
    run.fates
        .iter()
        .any(|fate| fate.uploaded.generation == generation && fate.removed_by == Some(By::People))
}

/// Whether the polls after the trouble brought everything to its end.
fn liveness(run: &Run) -> Vec<String> {
    run.left
        .iter()
        .filter(|object| {
            let heard = run.heard.get(&(object.name.clone(), object.generation));
            heard.is_none_or(|heard| heard.postponed == 0)
        })
        .map(|object| {
            format!(
                "{:?}#{} is left after two quiet polls",
                object.name, object.generation
            )
        })
        .collect()
}

/// Whether nothing was done too often.
fn economy(run: &Run) -> Vec<String> {
    let mut broken = Vec::new();
    let walked: u64 = run
        .reports
        .iter()
        .map(|report| report.settled.len() as u64 + if report.crashed { 40 } else { 0 })
        .sum();
    let bound = run.lists + 20 * run.reports.len() as u64 + CALLS_PER_OBJECT * walked;
    if run.calls > bound {
        broken.push(format!("{} storage calls for {walked} objects", run.calls));
    }
    let one_at_a_time =
        run.schedule.lease || (run.schedule.pollers == 1 && !run.schedule.overlapping);
    if run.schedule.is_calm() && one_at_a_time {
        for (object, heard) in &run.heard {
            if heard.accepted + heard.refused > 1 {
                broken.push(format!("{object:?} was processed twice: {heard:?}"));
            }
        }
    }
    broken
}

fn shown(place: &Place) -> String {
    format!("{:?}#{}", place.name, place.generation)
}

fn uri(place: &Place) -> String {
    format!("gs://{}/{}", place.bucket, place.name)
}
