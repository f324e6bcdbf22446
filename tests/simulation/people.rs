//! People who use the bucket while it is polled.

use std::time::Duration;

use brigade_sim::Sim;
use brigade_storage::Object;
use fastrand::Rng;
use tokio::{sync::mpsc::UnboundedSender, time::sleep};

use crate::{events::Upload, schedule::Schedule};

/// The inbox's bucket, and the other one.
pub(crate) const BUCKET: &str = "data";
pub(crate) const ELSEWHERE: &str = "archive";

/// What is in or beside the inbox and is no work: another inbox, what looks like a lease, and a folder.
pub(crate) const NO_WORK: [&str; 5] =
    [".brigade/in/notes", "in/.brigade/lease", "in/folder/", "in2/a", "processed"];

/// Uploads, most of them unlike every other.
#[derive(Debug)]
pub(crate) struct People {
    sim: Sim,
    rng: Rng,
    names: usize,
    uploads: u64,
    /// Hears of everything that comes into the inbox.
    announced: Option<UnboundedSender<Upload>>,
}

/// The name of that number.
pub(crate) fn named(number: usize) -> String {
    let odd = ["", "é", "a/../", "%2F", "\t", "x//"][number % 6];
    format!("in/{odd}{number:03}")
}

// === impl People ===

impl People {
    pub(crate) fn new(
        sim: Sim,
        schedule: &Schedule,
        announced: Option<UnboundedSender<Upload>>,
    ) -> Self {
        let rng = schedule.rng("people");
        Self { sim, rng, names: schedule.names, uploads: 0, announced }
    }

    fn name(&mut self) -> String {
        let number = self.rng.usize(0..self.names);
        named(number)
    }

    /// Uploads to every name once, and puts things beside them that are no work.
    pub(crate) fn begin(&mut self) {
        for name in NO_WORK {
            let _ = self.sim.upload(BUCKET, name, "");
        }
        for number in 0..self.names {
            self.upload(&named(number));
        }
    }

    /// A person uploads something.
    fn upload(&mut self, name: &str) {
        self.uploads += 1;
        let content = if self.rng.u8(0..10) == 0 {
            "the same".to_owned()
        } else {
            format!("upload {}", self.uploads)
        };
        // Replacing what is held is refused, as it is to people too.
        if let Ok(object) = self.sim.upload(BUCKET, name, content) {
            self.announce(object);
        }
    }

    fn announce(&self, object: Object) {
        if let Some(announced) = &self.announced {
            // At the end of a run it is heard no more.
            let _ = announced.send((object.name, object.generation));
        }
    }

    /// Does `times` things, at random times.
    pub(crate) async fn meddle(mut self, times: usize, longest: Duration) {
        for _ in 0..times {
            sleep(longest.mul_f64(self.rng.f64())).await;
            let name = self.name();
            let held = self.rng.bool();
            // Most of it meets no object, as with people who guess a name.
            match self.rng.u8(0..16) {
                0..7 => self.upload(&name),
                7 => drop(self.sim.remove(BUCKET, &name)),
                8 => drop(self.sim.annotate(BUCKET, &name, "note", "mine")),
                9 => drop(self.sim.set_temporary_hold(BUCKET, &name, held)),
                10 => drop(self.sim.set_event_based_hold(BUCKET, &name, held)),
                11 => drop(self.sim.make_composite(BUCKET, &name)),
                12 => {
                    let until = self.sim.clock().now() + longest;
                    drop(self.sim.retain(BUCKET, &name, Some(until)));
                }
                13 => self.take_a_destination(),
                _ => self.move_back(),
            }
        }
    }

    /// A person puts something where the poller wants to put something.
    fn take_a_destination(&mut self) {
        self.uploads += 1;
        let destination = if self.rng.bool() { "processed/" } else { "failed/" };
        let name = self.name().replacen("in/", destination, 1);
        let content = format!("in the way {}", self.uploads);
        let _ = self.sim.upload(BUCKET, &name, content);
    }
}

impl People {
    /// A person wants another try of something that was settled.
    fn move_back(&mut self) {
        let mut settled = Vec::new();
        for bucket in [BUCKET, ELSEWHERE] {
            for object in self.sim.objects(bucket) {
                for destination in ["processed/", "failed/"] {
                    if let Some(below) = object.name.strip_prefix(destination) {
                        settled.push((bucket, object.name.clone(), format!("in/{below}")));
                    }
                }
            }
        }
        if settled.is_empty() {
            return;
        }
        let (bucket, name, back) = settled.swap_remove(self.rng.usize(0..settled.len()));
        // Replacing what is held is refused.
        if let Ok(object) = self.sim.carry((bucket, &name), (BUCKET, &back)) {
            self.announce(object);
        }
    }
}

/// Releases every hold.
pub(crate) fn release_holds(sim: &Sim) {
    for object in sim.objects(BUCKET) {
        if object.temporary_hold {
            let _ = sim.set_temporary_hold(BUCKET, &object.name, false);
        }
        if object.event_based_hold {
            let _ = sim.set_event_based_hold(BUCKET, &object.name, false);
        }
        if object.retention_expires.is_some() {
            let _ = sim.retain(BUCKET, &object.name, None);
        }
    }
}
