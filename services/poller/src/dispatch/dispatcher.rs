//! Every call of the worker by this instance goes through here: polls, events and tasks share what is known of the worker.
//!
//! A call has its turn when the worker takes one more (`limit`), has not asked for time (`waits`), is there
//! (`breaker`), and has not refused too many objects in a row (`streak`). All of these decide by answers and times alone;
//! this module keeps them under one lock, and waits.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use brigade_client::answer::Answer;
use brigade_proto::v1::ProcessRequest;
use tokio::{
    sync::{
        Notify, RwLock, RwLockReadGuard, RwLockWriteGuard, Semaphore, SemaphorePermit,
        futures::Notified,
    },
    time::{Instant, sleep_until, timeout_at},
};

use super::{
    Worker,
    limit::{Limit, Ticket},
    state::{Next, NoTurn, Patience, State, Wait},
};
use crate::{config::Budgets, metrics};

/// A call that goes on for so long was taken by the worker: refusals come at once. The shorter, the sooner the calls in flight grow.
const TAKEN: Duration = Duration::from_millis(250);

/// How long a health check may take.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(5);

/// Gives calls their turn, and learns from their answers.
#[derive(Debug)]
pub(crate) struct Dispatcher {
    worker: Arc<dyn Worker>,
    /// As many as the limit allows.
    permits: Semaphore,
    /// Every call holds it for reading, and a call that must be alone for writing.
    company: RwLock<()>,
    state: Mutex<State>,
    /// An answer came: what waits looks again.
    changed: Notify,
}

/// A call may be sent now. To drop it without an answer gives the turn back.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    dispatcher: &'a Dispatcher,
    /// Nothing for a call that was alone when it began.
    permit: Option<SemaphorePermit<'a>>,
    company: Option<Company<'a>>,
    pub(super) ticket: Ticket,
    is_taken: bool,
}

#[derive(Debug)]
enum Company<'a> {
    Shared(#[expect(dead_code, reason = "held, not read")] RwLockReadGuard<'a, ()>),
    Alone(RwLockWriteGuard<'a, ()>),
}

// === impl Dispatcher ===

impl Dispatcher {
    pub(crate) fn new(worker: Arc<dyn Worker>, budgets: &Budgets) -> Self {
        let limit = Limit::new(budgets.concurrency.clamp(1, Semaphore::MAX_PERMITS));
        metrics::limit(limit.current());
        Self {
            worker,
            permits: Semaphore::new(limit.current()),
            company: RwLock::new(()),
            state: Mutex::new(State::new(limit, budgets)),
            changed: Notify::new(),
        }
    }

    /// What the worker speaks.
    pub(crate) fn protocol(&self) -> &'static str {
        self.worker.protocol()
    }

    /// How many calls the worker gets at once, as of now.
    pub(crate) fn limit(&self) -> usize {
        self.state().limit.current()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn beside other calls.
    pub(crate) async fn turn(&self, patience: Patience) -> Result<Turn<'_>, NoTurn> {
        let permit = timeout_at(patience.until, self.permits.acquire()).await;
        // Nothing closes it.
        let Ok(Ok(permit)) = permit else {
            return Err(self.later());
        };
        loop {
            let Ok(company) = timeout_at(patience.until, self.company.read()).await else {
                return Err(self.later());
            };
            let changed = self.changed.notified();
            let wait = match self.next(patience) {
                Next::Go(ticket) => {
                    return Ok(Turn::new(self, Some(permit), Company::Shared(company), ticket));
                }
                Next::Wait(wait) => wait,
                Next::Never(why) => return Err(why),
            };
            drop(company);
            self.wait(wait, changed, patience).await?;
        }
    }

    /// Waits until no other call is in flight, and keeps it so until [`Dispatcher::ask`] lets others join.
    pub(crate) async fn turn_alone(&self, patience: Patience) -> Result<Turn<'_>, NoTurn> {
        let Ok(company) = timeout_at(patience.until, self.company.write()).await else {
            return Err(self.later());
        };
        loop {
            let changed = self.changed.notified();
            match self.next(patience) {
                Next::Go(ticket) => {
                    return Ok(Turn::new(self, None, Company::Alone(company), ticket));
                }
                Next::Wait(wait) => self.wait(wait, changed, patience).await?,
                Next::Never(why) => return Err(why),
            }
        }
    }

    fn next(&self, patience: Patience) -> Next {
        self.state().next(Instant::now(), patience)
    }

    fn later(&self) -> NoTurn {
        let state = self.state();
        let gate = state.gate.max(state.wish);
        NoTurn::Later(gate.map(|gate| gate.saturating_duration_since(Instant::now())))
    }

    /// Waits until a call may perhaps be sent.
    async fn wait(
        &self,
        wait: Wait,
        changed: Notified<'_>,
        patience: Patience,
    ) -> Result<(), NoTurn> {
        match wait {
            Wait::Probe => {
                let is_reachable = self.worker.is_reachable(HEALTH_TIMEOUT).await;
                let mut state = self.state();
                state.breaker.probed(Instant::now(), is_reachable);
                metrics::breaker(state.breaker.away_since().is_some());
                drop(state);
                self.changed.notify_waiters();
            }
            // It is no error that nothing changed until then.
            Wait::Until(at) => drop(timeout_at(at.min(patience.until), changed).await),
            Wait::Answer => drop(timeout_at(patience.until, changed).await),
        }
        if Instant::now() >= patience.until { Err(self.later()) } else { Ok(()) }
    }

    /// Asks the worker. A call that is alone lets others join after `alone`.
    pub(crate) async fn ask(
        &self,
        turn: &mut Turn<'_>,
        request: ProcessRequest,
        timeout: Duration,
        alone: Duration,
    ) -> Answer {
        let mut call = self.worker.process(request, timeout);
        let began = Instant::now();
        loop {
            let next = if !turn.is_taken {
                began + TAKEN
            } else if turn.is_alone() {
                began + alone.max(TAKEN)
            } else {
                return call.await;
            };
            tokio::select! {
                biased;
                answer = &mut call => return answer,
                () = sleep_until(next) => turn.go_on(),
            }
        }
    }

    /// Whether the worker answers a health check. One that finds it away clears objects of their losses.
    pub(crate) async fn is_healthy(&self, now: jiff::Timestamp) -> bool {
        let is_healthy = self.worker.is_reachable(HEALTH_TIMEOUT).await;
        let mut state = self.state();
        if is_healthy {
            // A call follows that must not wait for the failures of others.
            state.breaker.answered(Instant::now());
            state.evidence.answered(now);
        } else {
            state.evidence.lost_idle(now);
        }
        is_healthy
    }

    /// Calls that failed between poller and worker since the last answer.
    pub(crate) fn failures(&self) -> u32 {
        self.state().breaker.failures()
    }

    /// Since when calls of the worker fail, while none is sent but probes.
    pub(crate) fn away_since(&self) -> Option<Instant> {
        self.state().breaker.away_since()
    }

    /// Whether the worker has accepted an object since then.
    pub(crate) fn has_accepted_since(&self, then: jiff::Timestamp) -> bool {
        self.state().evidence.has_accepted_since(then)
    }

    /// Whether the brake is on.
    pub(crate) fn is_braked(&self) -> bool {
        self.state().is_braked
    }

    /// Lets a few objects through, as a probe, or as many as may be refused in a row.
    pub(crate) fn restart_streak(&self, limit: u32) {
        let mut state = self.state();
        state.streak.restart(limit);
        state.is_braked = false;
        self.update(state);
    }

    /// The limit may have changed, and what waits looks again.
    pub(super) fn update(&self, mut state: MutexGuard<'_, State>) {
        self.resize(&mut state);
        drop(state);
        self.changed.notify_waiters();
    }

    /// Gives out as many permits as the limit allows.
    fn resize(&self, state: &mut State) {
        let (limit, given) = (state.limit.current(), state.given);
        if limit > given {
            let forgiven = state.debt.min(limit - given);
            state.debt -= forgiven;
            self.permits.add_permits(limit - given - forgiven);
        } else if limit < given {
            let taken = self.permits.forget_permits(given - limit);
            state.debt += given - limit - taken;
        }
        state.given = limit;
        metrics::limit(limit);
        metrics::breaker(state.breaker.away_since().is_some());
    }
}

// === impl Turn ===

impl<'a> Turn<'a> {
    fn new(
        dispatcher: &'a Dispatcher,
        permit: Option<SemaphorePermit<'a>>,
        company: Company<'a>,
        ticket: Ticket,
    ) -> Self {
        metrics::call_began();
        Self { dispatcher, permit, company: Some(company), ticket, is_taken: false }
    }

    /// Whether no other call was in flight since it began.
    pub(crate) fn is_alone(&self) -> bool {
        matches!(self.company, Some(Company::Alone(_)))
    }

    /// The call was not answered for a while.
    fn go_on(&mut self) {
        if !self.is_taken {
            let mut state = self.dispatcher.state();
            self.take(&mut state);
            self.dispatcher.resize(&mut state);
        } else if let Some(Company::Alone(alone)) = self.company.take() {
            self.company = Some(Company::Shared(alone.downgrade()));
        }
        self.dispatcher.changed.notify_waiters();
    }

    /// The worker took the call.
    pub(super) fn take(&mut self, state: &mut State) {
        if !self.is_taken {
            self.is_taken = true;
            state.untaken -= 1;
            state.is_recovering = false;
            state.limit.accepted(self.ticket);
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        metrics::call_ended();
        let mut state = self.dispatcher.state();
        state.limit.ended();
        state.untaken -= usize::from(!self.is_taken);
        if let Some(permit) = self.permit.take()
            && state.debt > 0
        {
            state.debt -= 1;
            permit.forget();
        }
        self.dispatcher.resize(&mut state);
        drop(state);
        self.dispatcher.changed.notify_waiters();
    }
}
