//! How many rounds, and what each of them meets.

use std::time::Duration;

use brigade_emulator::storage::{Fault, Kind, Operation};
use fastrand::Rng;

use crate::google::Google;

/// As many as `KILL_ROUNDS` says; a few show that it works.
pub(crate) fn count() -> u64 {
    let given = std::env::var("KILL_ROUNDS").ok();
    given.map_or(4, |rounds| rounds.parse().expect("KILL_ROUNDS is a number"))
}

/// Lets some of the next storage calls fail, hang or lose their answer.
pub(crate) fn faults(google: &Google, rng: &mut Rng) {
    let operations = [
        Operation::List,
        Operation::Move,
        Operation::Move,
        Operation::Update,
        Operation::Rewrite,
        Operation::Delete,
        Operation::Read,
    ];
    for _ in 0..rng.u32(2..6) {
        let fault = match rng.u32(0..6) {
            0 => Fault::before(Kind::Unavailable),
            1 => Fault::after(Kind::Unavailable),
            2 => Fault::after(Kind::DeadlineExceeded),
            3 => Fault::reset_before(),
            4 => Fault::reset_after(),
            _ => Fault::delay(Duration::from_millis(rng.u64(1..60))),
        };
        let operation = rng.choice(operations).expect("there are some");
        google.emulator.storage().fault(operation, fault);
    }
}
