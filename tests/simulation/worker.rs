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
use brigade_client::answer::{Answer, Way};
use brigade_poller::dispatch::Worker;
use brigade_proto::v1::{ProcessRequest, ProcessResponse};
use fastrand::Rng;
use tokio::time::sleep;
use tonic::Code;

use crate::schedule::Schedule;

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
}

/// What a worker does with one generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nature {
    Accepts,
    Refuses,
    /// Asks for time this often, then accepts.
    Later(u32),
    /// Asks for time until its attempts are used up.
    Never,
    /// Says what comes to its mind.
    Moody,
}

/// Answers by the object's nature, and loses some answers on their way.
#[derive(Debug)]
pub(crate) struct SimWorker {
    seed: u64,
    lost: u16,
    moody: u16,
    calm: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    rng: Rng,
    heard: BTreeMap<(String, i64), Heard>,
    ways: u64,
}

// === impl SimWorker ===

impl SimWorker {
    pub(crate) fn new(schedule: &Schedule) -> Self {
        Self {
            seed: schedule.seed,
            lost: schedule.lost,
            moody: schedule.moody,
            calm: AtomicBool::new(false),
            state: Mutex::new(State {
                rng: schedule.rng("worker"),
                heard: BTreeMap::new(),
                ways: 0,
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

    /// Calls that failed on their way.
    pub(crate) fn ways(&self) -> u64 {
        self.state().ways
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A generation has one nature, whoever asks.
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
            0..4 => Nature::Refuses,
            4..6 => Nature::Later(rng.u32(1..3)),
            6 => Nature::Never,
            _ => Nature::Accepts,
        }
    }

    fn say(&self, name: &str, generation: i64, asked: u32) -> Answer {
        let nature = self.nature(name, generation);
        let accepts = match nature {
            Nature::Accepts => true,
            Nature::Refuses => false,
            Nature::Later(times) if asked > times => true,
            Nature::Later(_) | Nature::Never => {
                return Answer::status(Code::Unavailable, "later");
            }
            Nature::Moody if self.calm.load(Ordering::Relaxed) => true,
            Nature::Moody => match self.state().rng.u8(0..3) {
                0 => true,
                1 => false,
                _ => return Answer::status(Code::Unavailable, "not in the mood"),
            },
        };
        if accepts {
            Answer::ok(ProcessResponse::default())
        } else {
            Answer::status(Code::InvalidArgument, "no")
        }
    }

    /// How long a call takes, and whether it is lost: before it is made, or after.
    fn fate(&self) -> (Duration, Option<bool>) {
        if self.calm.load(Ordering::Relaxed) {
            return (Duration::ZERO, None);
        }
        let rng = &mut self.state().rng;
        let time = match rng.u8(0..20) {
            0 => Duration::from_secs(rng.u64(0..900)),
            1..6 => Duration::from_secs(rng.u64(0..40)),
            _ => Duration::from_millis(rng.u64(0..2_000)),
        };
        let lost = (rng.u16(0..1_000) < self.lost).then(|| rng.bool());
        (time, lost)
    }

    fn way(&self) -> Answer {
        let mut state = self.state();
        state.ways += 1;
        Answer::Way(match state.rng.u8(0..4) {
            0 => Way::Connect("refused".into()),
            1 => Way::Reset("reset".into()),
            2 => Way::CutShort("no grpc-status".into()),
            _ => Way::Http {
                status: 503,
                retry_after: None,
            },
        })
    }
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
        let (time, lost) = self.fate();
        if lost == Some(true) {
            return self.way();
        }
        if time >= timeout {
            sleep(timeout).await;
            self.state().heard.entry(key).or_default().postponed += 1;
            return Answer::TimedOut(timeout);
        }
        sleep(time).await;
        let answer = self.say(&object.name, object.generation, asked);
        if lost == Some(false) {
            return self.way();
        }
        let mut state = self.state();
        let heard = state.heard.entry(key).or_default();
        match &answer {
            Answer::Worker(answer) => match answer.code {
                Code::Ok => heard.accepted += 1,
                Code::Unavailable => heard.postponed += 1,
                _ => heard.refused += 1,
            },
            Answer::Way(_) | Answer::TimedOut(_) => {}
        }
        answer
    }
}
