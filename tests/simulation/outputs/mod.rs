//! What the worker's processes write, through the worker's real code, and what is known of it when a run is over.

pub(crate) mod check;
mod planted;
mod processor;
mod workers;

use std::{collections::BTreeSet, sync::OnceLock};

use brigade_sim::Sim;
use brigade_storage::Location;
use brigade_worker::WorkerSettings;
use fastrand::Rng;

use crate::{
    heard::Key,
    people::{BUCKET, ELSEWHERE, named},
    planted::{Bug, Planted},
};

pub(crate) use processor::Plan;
pub(crate) use workers::Workers;

/// Where outputs go.
pub(crate) const PREFIX: &str = "out/";

/// How many runs in 100 have workers that write.
const SHARE: u8 = 30;

/// What the workers of one run write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outputs {
    pub(crate) template: Template,
    /// Outputs are in the other bucket.
    elsewhere: bool,
    /// Outputs of one object, at most.
    most: usize,
    /// A repeated run writes the same bytes again.
    repeats: bool,
}

/// How outputs are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Template {
    /// Below a folder of the object's own.
    PathFile,
    /// As the processor says: several objects want one name.
    File,
    /// Beside each other, one of each object.
    Stem,
}

// === impl Outputs ===

impl Outputs {
    /// Drawn from random numbers of its own, so that all else of the seed stays what it is.
    pub(crate) fn draw(mut rng: Rng) -> Option<Self> {
        let is_writing = rng.u8(0..100) < SHARE;
        let outputs = Self {
            template: match rng.u8(0..4) {
                0..2 => Template::PathFile,
                2 => Template::File,
                _ => Template::Stem,
            },
            elsewhere: rng.u8(0..4) == 0,
            most: rng.usize(1..=3),
            repeats: rng.bool(),
        };
        is_writing.then_some(outputs)
    }

    pub(crate) fn bucket(self) -> &'static str {
        if self.elsewhere { ELSEWHERE } else { BUCKET }
    }

    /// Files that no worker wrote have some of the names that outputs will want.
    pub(crate) fn begin(self, sim: &Sim) {
        for number in [2, 5] {
            let name = match self.template {
                Template::PathFile => format!("{}/part-0.txt", path(&named(number))),
                Template::File => format!("shared-{number}.txt"),
                Template::Stem => format!("{}.json", path(&named(number))),
            };
            let _ = sim.upload(self.bucket(), &format!("{PREFIX}{name}"), "an output of no worker");
        }
    }

    /// The files of one generation: a newer one may have fewer, or others.
    pub(crate) fn files(self, key: &Key) -> BTreeSet<String> {
        let mut rng = Rng::with_seed(key.1.unsigned_abs());
        let number = key.0.bytes().map(usize::from).sum::<usize>();
        match self.template {
            Template::PathFile => (0..rng.usize(1..=self.most))
                .map(|_| format!("part-{}.txt", rng.u8(0..4)))
                .collect(),
            Template::File => (0..rng.usize(1..=self.most))
                .map(|n| format!("shared-{}.txt", (number + n) % 6))
                .collect(),
            Template::Stem => [String::from("all")].into(),
        }
    }

    fn settings(self, planted: Planted) -> WorkerSettings {
        static DEFAULT: OnceLock<WorkerSettings> = OnceLock::new();
        let name = match self.template {
            Template::PathFile if planted.is(Bug::NamedByTheLastPart) => "{file}",
            Template::PathFile => "{path}/{file}",
            Template::File => "{file}",
            Template::Stem => "{stem}.json",
        };
        WorkerSettings {
            output: Some(Location::new(self.bucket(), PREFIX)),
            output_name: Some(name.parse().expect("it is a template")),
            ..DEFAULT.get_or_init(WorkerSettings::default).clone()
        }
    }
}

/// An object's name below the inbox.
pub(crate) fn path(name: &str) -> &str {
    name.strip_prefix("in/").unwrap_or(name)
}
