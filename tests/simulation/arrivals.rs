//! Files that arrive while a poll is at work, and places are free.

use std::{collections::BTreeSet, ops::Range};

use brigade_sim::{Actor, Change, Place};
use jiff::{SignedDuration, Timestamp};

use crate::{people::NO_WORK, planted::Planted, run::Run, schedule::Schedule};

/// The longest pause between two passes, and a listing.
const BOUND: SignedDuration = SignedDuration::from_secs(16);

/// Fewer calls than the worker is given at once in the beginning.
const FREE: usize = 5;

/// After so long a poll asks about suspects, and begins nothing that cannot end.
const AT_WORK: SignedDuration = SignedDuration::from_mins(4);

/// What came of many seeds.
#[derive(Debug, Default)]
pub(crate) struct Total {
    /// Files that arrived while a call was in flight for so long that the poll had to list again.
    pub(crate) beside: u64,
    pub(crate) broken: Vec<String>,
}

pub(crate) fn run(seeds: Range<u64>) -> Total {
    let mut total = Total::default();
    for seed in seeds {
        let schedule = Schedule::from_seed(seed).with_arrivals();
        look(&Run::from_schedule(schedule, Planted::default()), &mut total);
    }
    total
}

fn look(run: &Run, total: &mut Total) {
    // Held, moved back, replaced and removed files are no arrivals.
    let touched: BTreeSet<&Place> = run
        .history
        .iter()
        .filter(|mutation| {
            let is_new = matches!(mutation.change, Change::Created { .. });
            mutation.by == Actor::External && !is_new
        })
        .map(|mutation| &mutation.place)
        .collect();
    for mutation in &run.history {
        let Change::Created { replaced } = &mutation.change else { continue };
        let (place, at) = (&mutation.place, mutation.at);
        let is_work = place.name.starts_with("in/") && !NO_WORK.contains(&place.name.as_str());
        let is_arrival = mutation.by == Actor::External && replaced.is_none() && is_work;
        let is_replaced = run.history.iter().any(|later| {
            let name = &later.place.name;
            let change = Change::Created { replaced: Some(place.generation) };
            *name == place.name && later.change == change
        });
        if !is_arrival || is_replaced || touched.contains(place) || !had_places(run, at) {
            continue;
        }
        total.beside += 1;
        let first = run.seen.first.get(&(place.name.clone(), place.generation));
        if first.is_none_or(|first| first.duration_since(at) > BOUND) {
            let seed = run.schedule.seed;
            total
                .broken
                .push(format!("seed {seed}: {place:?} came at {at}, asked about at {first:?}"));
        }
    }
}

/// Whether a poll was at work for as long as it may pause, with places free.
fn had_places(run: &Run, at: Timestamp) -> bool {
    let until = at + BOUND;
    let began = run.polls().map(|poll| poll.began).filter(|began| *began <= at.as_second()).max();
    let began = began.and_then(|began| Timestamp::from_second(began).ok());
    if began.is_none_or(|began| until > began + AT_WORK) {
        return false;
    }
    let calls = &run.seen.at_once;
    let before = calls.iter().rev().find(|(time, _)| *time <= at).map_or(0, |(_, calls)| *calls);
    let within = calls.iter().filter(|(time, _)| (at..=until).contains(time));
    let mut within = within.map(|(_, calls)| *calls).chain([before]);
    within.all(|calls| (1..FREE).contains(&calls))
}
