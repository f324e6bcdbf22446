//! A worker with a will of its own, which remembers what it said and what of it arrived.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use brigade_client::answer::Answer;
use brigade_poller::dispatch::Worker;
use brigade_proto::v1::{ProcessRequest, ProcessResponse};
use fastrand::Rng;
use tokio::time::{Instant, sleep, sleep_until};
use tonic::Code;

use crate::{
    halt,
    schedule::Schedule,
    weather::{self, LATER, REFUSALS, Weather},
};

/// What the pollers heard about one generation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Calls that began.
    pub(crate) calls: u32,
    /// Answers that accepted it.
    pub(crate) accepted: u32,
    /// Answers that refused it.
    pub(crate) refused: u32,
    /// Answers that asked for time, and timeouts.
    pub(crate) postponed: u32,
    /// Which polls heard that it was accepted or refused.
    pub(crate) by: Vec<u64>,
    /// Whether the last such word accepted it.
    pub(crate) last_word: Option<bool>,
}

/// What a worker does with one generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nature {
    Accepts,
    Refuses(Code),
    /// Asks for time this often, then accepts.
    Later(Code, u32),
    /// Asks for time until its attempts are used up.
    Never(Code),
    /// Says what comes to its mind.
    Moody,
}

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
}

/// Answers by the object's nature, and loses some answers.
#[derive(Debug)]
pub(crate) struct SimWorker {
    seed: u64,
    moody: u16,
    weather: Weather,
    calm: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    rng: Rng,
    heard: BTreeMap<(String, i64), Heard>,
    troubles: Troubles,
}

// === impl SimWorker ===

impl SimWorker {
    pub(crate) fn new(schedule: &Schedule) -> Self {
        Self {
            seed: schedule.seed,
            moody: schedule.moody,
            weather: Weather::new(schedule),
            calm: AtomicBool::new(false),
            state: Mutex::new(State {
                rng: schedule.rng("worker"),
                heard: BTreeMap::new(),
                troubles: Troubles::default(),
            }),
        }
    }

    /// From now on every answer arrives, at once, and stays what it is.
    pub(crate) fn calm_down(&self) {
        self.calm.store(true, Ordering::Relaxed);
    }

    /// What was heard about each generation, by name and generation.
    pub(crate) fn heard(&self) -> BTreeMap<(String, i64), Heard> {
        self.state().heard.clone()
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

    /// A generation has one nature, for every caller.
    fn nature(&self, name: &str, generation: i64) -> Nature {
        let mut seed = self.seed ^ generation.unsigned_abs();
        for byte in name.bytes() {
            seed = (seed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        let mut rng = Rng::with_seed(seed);
        if rng.u16(0..1_000) < self.moody {
            return Nature::Moody;
        }
        match rng.u8(0..20) {
            0..4 => Nature::Refuses(REFUSALS[rng.usize(0..REFUSALS.len())]),
            4..6 => Nature::Later(LATER[rng.usize(0..LATER.len())], rng.u32(1..3)),
            6 => Nature::Never(LATER[rng.usize(0..LATER.len())]),
            _ => Nature::Accepts,
        }
    }

    fn say(&self, name: &str, generation: i64, asked: u32) -> Answer {
        match self.nature(name, generation) {
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
        if self.is_calm() {
            return Some(Duration::ZERO);
        }
        let mut state = self.state();
        let rng = &mut state.rng;
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

    /// The worker's whole answer, unless it dies meanwhile. It may have done the work.
    async fn answered(&self, object: (&str, i64), asked: u32, time: Option<Duration>) -> Answer {
        let now = Instant::now();
        let end = time.map(|time| now + time);
        let death = self.weather.next_death(now).filter(|_| !self.is_calm());
        match (end, death) {
            (_, Some(death)) if end.is_none_or(|end| death <= end) => {
                sleep_until(death).await;
                self.state().troubles.died += 1;
                weather::gone(death > now)
            }
            (Some(end), _) => {
                sleep_until(end).await;
                self.say(object.0, object.1, asked)
            }
            (None, _) => std::future::pending().await,
        }
    }

    fn hear(&self, key: (String, i64), answer: &Answer) {
        let mut state = self.state();
        let heard = state.heard.entry(key).or_default();
        let word = match answer {
            Answer::Worker(answer) if answer.code == Code::Ok => Some(true),
            Answer::Worker(answer) if REFUSALS.contains(&answer.code) => Some(false),
            Answer::Worker(answer) if LATER.contains(&answer.code) => {
                heard.postponed += 1;
                None
            }
            Answer::TimedOut(_) => {
                heard.postponed += 1;
                None
            }
            Answer::Worker(_) | Answer::Transport(_) | Answer::TooLarge { .. } => None,
        };
        if let Some(accepted) = word {
            heard.accepted += u32::from(accepted);
            heard.refused += u32::from(!accepted);
            heard.by.push(halt::current_poll());
            heard.last_word = Some(accepted);
        }
    }
}

fn accepted() -> Answer {
    Answer::ok(ProcessResponse::default())
}

#[async_trait]
impl Worker for SimWorker {
    async fn process(&self, request: ProcessRequest, timeout: Duration) -> Answer {
        let object = request.object.unwrap_or_default();
        let key = (object.name.clone(), object.generation);
        let asked = {
            let mut state = self.state();
            let heard = state.heard.entry(key.clone()).or_default();
            heard.calls += 1;
            heard.calls
        };
        let storm = {
            let state = &mut *self.state();
            let storm = (!self.is_calm()).then(|| self.weather.storm(&mut state.rng));
            let storm = storm.flatten();
            match &storm {
                Some(storm) if storm.is_astray => state.troubles.astray += 1,
                Some(_) => state.troubles.ways += 1,
                None => {}
            }
            storm
        };
        if let Some(storm) = &storm
            && !storm.after_the_work
        {
            return storm.answer.clone();
        }
        let time = self.time();
        let working = self.answered((&object.name, object.generation), asked, time);
        let answer = tokio::select! {
            biased;
            answer = working => answer,
            () = sleep(timeout) => Answer::TimedOut(timeout),
        };
        if let Some(storm) = storm {
            return storm.answer;
        }
        self.hear(key, &answer);
        answer
    }
}
