//! A poll's process, and what ends it or holds it up: it is killed, it stands still, it is asked to stop.

use std::{
    cell::Cell,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use fastrand::Rng;
use tokio::time::{Sleep, sleep};
use tokio_util::sync::CancellationToken;

use crate::schedule::Schedule;

thread_local! {
    static CURRENT: Cell<u64> = const { Cell::new(0) };
}

/// The poll that is at work on this thread.
pub(crate) fn current_poll() -> u64 {
    CURRENT.get()
}

/// What happens to a poll's process when it has been woken so many times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fate {
    pub(crate) crash: Option<usize>,
    pub(crate) stall: Option<(usize, Duration)>,
    pub(crate) cancel: Option<usize>,
    pub(crate) shutdown: Option<usize>,
}

/// Whom to tell.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tokens {
    /// The caller goes away.
    pub(crate) cancel: CancellationToken,
    /// The service is asked to shut down.
    pub(crate) shutdown: CancellationToken,
}

/// A process that runs `poll`. Says whether it was killed, and whether it stood still.
pub(crate) struct Process<F> {
    id: u64,
    poll: Option<Pin<Box<F>>>,
    fate: Fate,
    tokens: Tokens,
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
    pub(crate) fn new(id: u64, poll: F, fate: Fate, tokens: Tokens) -> Self {
        Self {
            id,
            poll: Some(Box::pin(poll)),
            fate,
            tokens,
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
        if self.stands_still(context) {
            return Poll::Pending;
        }
        self.woken += 1;
        let woken = Some(self.woken);
        if self.fate.crash == woken {
            self.poll = None;
        }
        if self.fate.cancel == woken {
            self.tokens.cancel.cancel();
        }
        if self.fate.shutdown == woken {
            self.tokens.shutdown.cancel();
        }
        CURRENT.set(self.id);
        let stalled = self.stalled;
        match &mut self.poll {
            Some(poll) => poll.as_mut().poll(context).map(|()| (false, stalled)),
            None => Poll::Ready((true, stalled)),
        }
    }
}
