//! What the worker said about each generation, and what of it arrived.

use std::collections::{BTreeMap, BTreeSet};

use brigade_client::answer::{Answer, TransportError, WorkerAnswer};
use brigade_poller::verdict::{Verdict, verdict};
use tokio::time::Instant;
use tonic::Code;

use crate::{
    weather::{LATER, REFUSALS},
    worlds::BLAME,
};

/// Different objects that are asked to wait, with none accepted, before that is the worker's own trouble.
pub(crate) const MANY: usize = 3;

/// A name and its generation.
pub(crate) type Key = (String, i64);

/// What the pollers heard about one generation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Calls that began.
    pub(crate) calls: u32,
    /// Answers that accepted it.
    pub(crate) accepted: u32,
    /// Answers that refused it.
    pub(crate) refused: u32,
    /// Those among them that came from a broken deployment.
    pub(crate) broken: u32,
    /// Answers that asked for time, and timeouts.
    pub(crate) postponed: u32,
    /// Answers that asked for time when the worker asked everything for time.
    pub(crate) beside: u32,
    /// Answers that looked like a fault of the wiring.
    pub(crate) doubts: u32,
    /// Answers that it was too busy.
    pub(crate) busy: u32,
    /// Calls about this object alone that were lost, since the last answer.
    pub(crate) lost: u32,
    /// Calls that ended with the worker's process.
    pub(crate) died: u32,
    /// Which processes heard that it was accepted or refused.
    pub(crate) by: Vec<u64>,
    /// Whether the last such word accepted it.
    pub(crate) last_word: Option<bool>,
    /// Calls that the worker had a place for: in the hour of the last one, and the most in an hour.
    pub(crate) hour: (u64, u32),
    pub(crate) most: u32,
}

/// How an answer came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The worker, as it is.
    Worker,
    /// A broken deployment of it.
    Broken,
    /// The end of its process.
    Death,
    /// What is between it and the poller.
    Way,
}

/// Everything that was said.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) heard: BTreeMap<Key, Heard>,
    begin: Instant,
    /// What each process was asked to give time to, for the first time, since the worker accepted something of it.
    fresh: BTreeMap<u64, BTreeSet<Key>>,
}

// === impl Ledger ===

impl Ledger {
    pub(crate) fn new() -> Self {
        Self { heard: BTreeMap::new(), begin: Instant::now(), fresh: BTreeMap::new() }
    }

    /// A call begins: which one of this generation it is.
    pub(crate) fn begin(&mut self, key: &Key) -> u32 {
        let heard = self.heard.entry(key.clone()).or_default();
        heard.calls += 1;
        heard.calls
    }

    /// An answer arrives at a process.
    pub(crate) fn hear(&mut self, instance: u64, key: Key, answer: &Answer, origin: Origin) {
        let is_worker_wide = self.is_worker_wide(instance, &key, answer);
        let hour = self.begin.elapsed().as_secs() / 3_600;
        let heard = self.heard.entry(key).or_default();
        if !is_busy(answer) && !matches!(answer, Answer::Transport(TransportError::Connect(_))) {
            heard.count(hour);
        }
        heard.doubts += u32::from(matches!(verdict(answer.clone()), Verdict::Doubtful(_)));
        match answer {
            Answer::Worker(answer) => {
                heard.lost = 0;
                heard.answer(instance, answer, origin, is_worker_wide);
            }
            Answer::TimedOut(_) => heard.postponed += 1,
            Answer::Transport(TransportError::Reset(_) | TransportError::CutShort(_)) => {
                heard.died += u32::from(origin == Origin::Death);
                heard.lost += u32::from(origin == Origin::Way);
            }
            Answer::Transport(_) | Answer::TooLarge { .. } => {}
        }
    }

    /// Whether an answer that asks for time is the worker's own trouble.
    fn is_worker_wide(&mut self, instance: u64, key: &Key, answer: &Answer) -> bool {
        let Answer::Worker(answer) = answer else {
            return false;
        };
        let is_accepted = answer.code == Code::Ok;
        // Time that ran out for one object says nothing of the worker.
        let is_wait = LATER.contains(&answer.code) && answer.code != Code::DeadlineExceeded;
        if !is_accepted && !is_wait {
            return false;
        }
        let fresh = self.fresh.entry(instance).or_default();
        if is_accepted {
            fresh.clear();
        } else if self.heard.get(key).is_none_or(|heard| heard.attempts() + heard.beside == 0) {
            fresh.insert(key.clone());
        }
        BLAME && fresh.len() >= MANY
    }
}

/// Whether the worker had no place for the call: then it has not looked at the object.
fn is_busy(answer: &Answer) -> bool {
    matches!(answer, Answer::Worker(answer) if answer.code == Code::ResourceExhausted)
}

// === impl Heard ===

impl Heard {
    fn answer(
        &mut self,
        instance: u64,
        answer: &WorkerAnswer,
        origin: Origin,
        is_worker_wide: bool,
    ) {
        if answer.is_storage {
            return;
        }
        let code = answer.code;
        if LATER.contains(&code) {
            *(if is_worker_wide { &mut self.beside } else { &mut self.postponed }) += 1;
        }
        self.busy += u32::from(code == Code::ResourceExhausted);
        let is_accepted = code == Code::Ok;
        if is_accepted || REFUSALS.contains(&code) {
            self.accepted += u32::from(is_accepted);
            self.refused += u32::from(!is_accepted);
            self.broken += u32::from(origin == Origin::Broken);
            self.by.push(instance);
            self.last_word = Some(is_accepted);
        }
    }

    fn count(&mut self, hour: u64) {
        if self.hour.0 != hour {
            self.hour = (hour, 0);
        }
        self.hour.1 += 1;
        self.most = self.most.max(self.hour.1);
    }

    /// What may count as an attempt.
    pub(crate) fn attempts(&self) -> u32 {
        self.postponed + if BLAME { self.doubts } else { 0 }
    }
}
