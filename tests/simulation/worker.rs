//! A worker with a will of its own.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use brigade_client::answer::Answer;
use brigade_proto::v1::{ProcessRequest, ProcessResponse};
use brigade_sim::Sim;
use fastrand::Rng;
use tokio::time::{Instant, sleep, sleep_until};
use tonic::Code;

use crate::{
    heard::{Heard, Key, Ledger, Origin},
    nature::Nature,
    outputs::{Plan, Workers, check::Written},
    planted::Planted,
    process::{NotTaken, Taken, WorkerProcess},
    schedule::Schedule,
    weather::{self, Storm, Weather},
    worlds::{BLAME, Cause, Special, Worlds},
};

/// How often each thing went wrong with a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Troubles {
    /// The call failed in the transport, or its answer did.
    pub(crate) ways: u64,
    /// The worker's process was gone, or went meanwhile.
    pub(crate) died: u64,
    /// It was never answered.
    pub(crate) hung: u64,
    /// The answer said nothing of the object.
    pub(crate) astray: u64,
    /// The worker had too much to do.
    pub(crate) full: u64,
    /// It ended the worker's process.
    pub(crate) killed: u64,
    /// It was about an object that is never answered.
    pub(crate) hangs: u64,
    /// The answer looked like a fault of the wiring, for one object alone.
    pub(crate) odd: u64,
    /// The worker answered everything alike: it asked for time, could not read, or refused.
    pub(crate) outages: [u64; 3],
}

/// Answers by the object's nature, and loses some answers.
#[derive(Debug)]
pub(crate) struct SimWorker {
    seed: u64,
    moody: u16,
    weather: Weather,
    worlds: Worlds,
    begin: Instant,
    process: WorkerProcess,
    /// Where it writes, in runs where it does.
    writing: Option<Workers>,
    calm: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    rng: Rng,
    ledger: Ledger,
    troubles: Troubles,
}

// === impl SimWorker ===

impl SimWorker {
    pub(crate) fn new(schedule: &Schedule, sim: &Sim, planted: Planted) -> Self {
        Self {
            seed: schedule.seed,
            moody: schedule.moody,
            weather: Weather::new(schedule),
            worlds: schedule.worlds.clone(),
            begin: Instant::now(),
            process: WorkerProcess::new(),
            writing: schedule.outputs.map(|outputs| Workers::new(outputs, sim, planted)),
            calm: AtomicBool::new(false),
            state: Mutex::new(State {
                rng: schedule.rng("worker"),
                ledger: Ledger::new(),
                troubles: Troubles::default(),
            }),
        }
    }

    /// From now on every answer arrives and stays what it is, and only single files make trouble.
    pub(crate) fn calm_down(&self) {
        self.calm.store(true, Ordering::Relaxed);
    }

    /// What was heard about each generation.
    pub(crate) fn heard(&self) -> BTreeMap<Key, Heard> {
        self.state().ledger.heard.clone()
    }

    /// What it wrote.
    pub(crate) fn written(&self) -> Option<Written> {
        self.writing.as_ref().map(Workers::written)
    }

    pub(crate) fn troubles(&self) -> Troubles {
        self.state().troubles
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    /// Whether its health check is answered.
    pub(crate) fn is_reachable(&self) -> bool {
        let now = Instant::now();
        let is_up = || self.weather.next_death(now).is_none_or(|death| death > now);
        !self.process.is_away() && (self.is_calm() || is_up())
    }

    /// Answers a call by a poller's process.
    pub(crate) async fn process(
        &self,
        instance: u64,
        key: Key,
        request: ProcessRequest,
        timeout: Duration,
    ) -> Answer {
        let asked = self.state().ledger.begin(&key);
        let storm = self.storm();
        if let Some(storm) = &storm
            && !storm.after_the_work
        {
            self.state().ledger.hear(instance, key, &storm.answer, Origin::Way);
            return storm.answer.clone();
        }
        let (answer, origin) = tokio::select! {
            biased;
            answer = self.at_the_door(&key, asked, request, timeout) => answer,
            () = sleep(timeout) => (Answer::TimedOut(timeout), Origin::Worker),
        };
        let (answer, origin) = storm.map_or((answer, origin), |storm| (storm.answer, Origin::Way));
        self.state().ledger.hear(instance, key, &answer, origin);
        answer
    }

    fn storm(&self) -> Option<Storm> {
        if self.is_calm() {
            return None;
        }
        let state = &mut *self.state();
        let storm = self.weather.storm(&mut state.rng)?;
        *(if storm.is_astray { &mut state.troubles.astray } else { &mut state.troubles.ways }) += 1;
        Some(storm)
    }

    /// The answer, whether the worker's process takes the call or not.
    async fn at_the_door(
        &self,
        key: &Key,
        asked: u32,
        request: ProcessRequest,
        timeout: Duration,
    ) -> (Answer, Origin) {
        let capacity = self.worlds.capacity.filter(|_| BLAME || !self.is_calm());
        let places = capacity.map_or(usize::MAX, |capacity| capacity.places);
        let taken = match self.process.take(places) {
            Ok(taken) => taken,
            Err(NotTaken::Away) => return (weather::gone(false), Origin::Death),
            Err(NotTaken::Full) => {
                self.state().troubles.full += 1;
                let wish = capacity.and_then(|capacity| capacity.wish);
                let full = weather::asking(Code::ResourceExhausted, wish, false);
                return (full, Origin::Worker);
            }
        };
        if !self.worlds.is_deadly() && self.writing.is_none() {
            return self.answered(&taken, key, asked, request, timeout).await;
        }
        tokio::select! {
            biased;
            () = taken.death() => (weather::gone(true), Origin::Death),
            answer = self.answered(&taken, key, asked, request, timeout) => answer,
        }
    }

    /// The worker's whole answer, unless it dies meanwhile. It may have done the work.
    async fn answered(
        &self,
        taken: &Taken<'_>,
        key: &Key,
        asked: u32,
        request: ProcessRequest,
        timeout: Duration,
    ) -> (Answer, Origin) {
        if let Some(cause) = self.outage() {
            return self.in_outage(cause).await;
        }
        if let Some(writing) = &self.writing {
            let process = (taken.number, &taken.death);
            let plan = self.plan(key, asked);
            let work = writing.call(process, request, key, plan, timeout);
            return self.unless_it_dies(key, work).await;
        }
        let special = self.worlds.special.get(&key.0);
        let time = match special {
            Some(Special::Poison { after, back }) => {
                sleep(*after).await;
                self.state().troubles.killed += 1;
                self.process.die(*back);
                return (weather::gone(true), Origin::Death);
            }
            Some(Special::Hangs) => {
                self.state().troubles.hangs += 1;
                None
            }
            Some(Special::Odd(_)) | None => self.time(),
        };
        let now = Instant::now();
        let end = time.map(|time| now + time);
        let death = self.weather.next_death(now).filter(|_| !self.is_calm());
        match (end, death) {
            (_, Some(death)) if end.is_none_or(|end| death <= end) => {
                sleep_until(death).await;
                self.state().troubles.died += 1;
                (weather::gone(death > now), Origin::Death)
            }
            (Some(end), _) => {
                sleep_until(end).await;
                let answer = match special {
                    Some(Special::Odd(odd)) => {
                        self.state().troubles.odd += 1;
                        odd.answer(&key.0)
                    }
                    _ => self.say(&key.0, key.1, asked),
                };
                (answer, Origin::Worker)
            }
            (None, _) => std::future::pending().await,
        }
    }

    /// What it will do and say about an object for which it writes.
    fn plan(&self, key: &Key, asked: u32) -> Plan {
        let special = self.worlds.special.get(&key.0);
        let is_endless = matches!(special, Some(Special::Poison { .. } | Special::Hangs));
        let time = if is_endless { None } else { self.time() };
        let answer = match special {
            Some(Special::Odd(odd)) => odd.answer(&key.0),
            _ => self.say(&key.0, key.1, asked),
        };
        let troubles = &mut self.state().troubles;
        match special {
            Some(Special::Hangs) => troubles.hangs += 1,
            Some(Special::Odd(_)) => troubles.odd += 1,
            _ => {}
        }
        Plan { time, answer, files: Vec::new() }
    }

    /// The answer of a call that writes; when the process dies before, all that it works on ends with it, at once.
    async fn unless_it_dies(
        &self,
        key: &Key,
        work: impl Future<Output = Answer>,
    ) -> (Answer, Origin) {
        let now = Instant::now();
        let death = if let Some(Special::Poison { after, back }) = self.worlds.special.get(&key.0) {
            Some((now + *after, *back))
        } else {
            let death = self.weather.next_death(now).filter(|_| !self.is_calm());
            death.map(|death| (death, Duration::ZERO))
        };
        let dies = async {
            match death {
                Some((at, back)) => {
                    sleep_until(at).await;
                    back
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            back = dies => {
                let troubles = &mut self.state().troubles;
                let is_killer = self.worlds.is_poison(&key.0);
                *(if is_killer { &mut troubles.killed } else { &mut troubles.died }) += 1;
                self.process.die(back);
                (weather::gone(Instant::now() > now), Origin::Death)
            }
            answer = work => (answer, Origin::Worker),
        }
    }

    /// Why everything is answered alike now.
    fn outage(&self) -> Option<Cause> {
        let now = self.begin.elapsed();
        let is_now = |from: Duration, to: Duration| (from..to).contains(&now) && !self.is_calm();
        let outages = &self.worlds.outages;
        outages.iter().find(|outage| is_now(outage.from, outage.to)).map(|outage| outage.cause)
    }

    async fn in_outage(&self, cause: Cause) -> (Answer, Origin) {
        let (time, wish) = {
            let state = &mut *self.state();
            state.troubles.outages[cause as usize] += 1;
            let wish = state.rng.bool().then(|| Duration::from_secs(state.rng.u64(0..60)));
            (Duration::from_millis(state.rng.u64(0..500)), wish)
        };
        sleep(time).await;
        match cause {
            Cause::Database => (weather::asking(Code::Unavailable, wish, false), Origin::Worker),
            Cause::Storage => (weather::asking(Code::Unavailable, wish, true), Origin::Worker),
            Cause::Broken => (Answer::status(Code::Internal, "broken"), Origin::Broken),
        }
    }

    fn say(&self, name: &str, generation: i64, asked: u32) -> Answer {
        match Nature::draw(self.seed, self.moody, name, generation) {
            Nature::Refuses(code) => Answer::status(code, "no"),
            Nature::Later(code, times) if asked <= times => self.later(code),
            Nature::Never(code) => self.later(code),
            Nature::Moody if !self.is_calm() => {
                let mood = self.state().rng.u8(0..3);
                match mood {
                    0 => accepted(),
                    1 => Answer::status(Code::InvalidArgument, "no"),
                    _ => self.later(Code::Unavailable),
                }
            }
            Nature::Accepts | Nature::Later(..) | Nature::Moody => accepted(),
        }
    }

    /// Asks for time, sometimes for a certain time.
    fn later(&self, code: Code) -> Answer {
        weather::wishing(code, &mut self.state().rng)
    }

    /// How long a call takes; nothing when it is never answered.
    fn time(&self) -> Option<Duration> {
        let mut state = self.state();
        let rng = &mut state.rng;
        if self.is_calm() {
            let most = if self.worlds.is_calm() {
                1
            } else if BLAME {
                1_000
            } else {
                100
            };
            return Some(Duration::from_millis(rng.u64(0..most)));
        }
        Some(match rng.u8(0..40) {
            0 => {
                state.troubles.hung += 1;
                return None;
            }
            1 => Duration::from_secs(rng.u64(0..900)),
            2..12 => Duration::from_secs(rng.u64(0..40)),
            _ => Duration::from_millis(rng.u64(0..2_000)),
        })
    }
}

fn accepted() -> Answer {
    Answer::ok(ProcessResponse::default())
}
