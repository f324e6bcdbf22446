//! A poll's process, and what ends it or holds it up: it is killed, it stands still, it is asked to stop.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use fastrand::Rng;
use tokio::time::{Sleep, sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::{instance::Ends, schedule::Schedule};

/// What happens to a poll's process when it has been woken so many times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fate {
    pub(crate) crash: Option<usize>,
    pub(crate) stall: Option<(usize, Duration)>,
    pub(crate) cancel: Option<usize>,
    pub(crate) shutdown: Option<usize>,
}

/// A process that runs `poll`. Says whether it was killed, and whether it stood still.
pub(crate) struct Process<F> {
    poll: Pin<Box<F>>,
    fate: Fate,
    ends: Ends,
    dead: Pin<Box<WaitForCancellationFutureOwned>>,
    /// The caller goes away.
    cancel: CancellationToken,
    woken: usize,
    standing: Option<Pin<Box<Sleep>>>,
    stalled: bool,
}

// === impl Fate ===

impl Fate {
    pub(crate) fn draw(schedule: &Schedule, rng: &mut Rng) -> Self {
        Self {
            crash: drawn(rng, schedule.crashes),
            stall: drawn(rng, schedule.stalls)
                .map(|at| (at, Duration::from_secs(rng.u64(20..400)))),
            cancel: drawn(rng, schedule.ends / 2),
            shutdown: drawn(rng, schedule.ends / 2),
        }
    }
}

/// After how many wakes, when it happens at all: early as often as late, since polls are short and long.
fn drawn(rng: &mut Rng, per_mille: u16) -> Option<usize> {
    let happens = rng.u16(0..1_000) < per_mille;
    let most = 8_usize << rng.u32(0..6);
    let at = rng.usize(1..=most);
    happens.then_some(at)
}

// === impl Process ===

impl<F> Process<F> {
    pub(crate) fn new(poll: F, fate: Fate, ends: Ends, cancel: CancellationToken) -> Self {
        Self {
            poll: Box::pin(poll),
            fate,
            dead: Box::pin(ends.dead.clone().cancelled_owned()),
            ends,
            cancel,
            woken: 0,
            standing: None,
            stalled: false,
        }
    }

    fn stands_still(&mut self, context: &mut Context<'_>) -> bool {
        if let Some((at, time)) = self.fate.stall
            && self.woken == at
        {
            self.stalled = true;
            self.fate.stall = None;
            self.standing = Some(Box::pin(sleep(time)));
        }
        let Some(standing) = &mut self.standing else {
            return false;
        };
        let still = standing.as_mut().poll(context).is_pending();
        if !still {
            self.standing = None;
        }
        still
    }
}

impl<F: Future<Output = ()>> Future for Process<F> {
    type Output = (bool, bool);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // Another poll of this process may have met its end.
        if self.dead.as_mut().poll(context).is_ready() {
            return Poll::Ready((true, self.stalled));
        }
        if self.stands_still(context) {
            return Poll::Pending;
        }
        self.woken += 1;
        let woken = Some(self.woken);
        if self.fate.crash == woken {
            self.ends.dead.cancel();
            return Poll::Ready((true, self.stalled));
        }
        if self.fate.cancel == woken {
            self.cancel.cancel();
        }
        if self.fate.shutdown == woken {
            self.ends.shutdown.cancel();
        }
        let stalled = self.stalled;
        self.poll.as_mut().poll(context).map(|()| (false, stalled))
    }
}
