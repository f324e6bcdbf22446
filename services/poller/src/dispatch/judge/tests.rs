//! What each answer means for its object, and what it leaves behind for the calls of others.

use std::{fmt::Write as _, sync::Arc};

use async_trait::async_trait;
use brigade_client::answer::Answer;
use brigade_proto::v1::ProcessRequest;
use futures::FutureExt as _;
use tokio::{task::unconstrained, time::advance};
use tonic::Code;

use super::*;
use crate::{
    config::Budgets,
    dispatch::{NoTurn, Patience, Worker},
    losses::How,
    verdict::Cause,
};

type Judged = (Ruling, BrakeChange);

type Answering = fn() -> Verdict;

const SECOND: Duration = Duration::from_secs(1);

/// A worker that is reachable. No test here calls it.
#[derive(Debug)]
struct Reachable;

#[async_trait]
impl Worker for Reachable {
    async fn process(&self, _request: ProcessRequest, _timeout: Duration) -> Answer {
        std::future::pending().await
    }

    async fn is_reachable(&self, _timeout: Duration) -> bool {
        true
    }
}

/// One instance, and the moment of its start.
struct World {
    dispatcher: Dispatcher,
    began: Instant,
}

impl World {
    fn new() -> Self {
        let budgets = Budgets { max_refusals: 3, ..Budgets::default() };
        let dispatcher = Dispatcher::new(Arc::new(Reachable), &budgets);
        Self { dispatcher, began: Instant::now() }
    }

    async fn turn(&self) -> Turn<'_> {
        self.dispatcher.turn(patience()).await.expect("a turn")
    }

    /// A turn, if it needs no waiting.
    fn turn_now(&self) -> Option<Turn<'_>> {
        unconstrained(self.turn()).now_or_never()
    }

    fn turns<const N: usize>(&self) -> [Turn<'_>; N] {
        [(); N].map(|()| self.turn_now().expect("a turn at once"))
    }

    /// Judges the answer about an object that was never asked about before, in a turn that it has.
    fn judge(&self, turn: Turn<'_>, name: &str, verdict: Verdict) -> Judged {
        self.judge_after(turn, name, &Losses::default(), verdict)
    }

    /// The same, of an object that was asked about before if it was lost before.
    fn judge_after(&self, turn: Turn<'_>, name: &str, losses: &Losses, verdict: Verdict) -> Judged {
        let asked = Asked {
            object: &key(name),
            bucket: "data",
            attempts: u32::from(losses.first().is_some()),
            losses,
            was_healthy: true,
            took: 5 * SECOND,
            now: Timestamp::UNIX_EPOCH + self.began.elapsed(),
        };
        self.dispatcher.judge(turn, asked, verdict)
    }

    /// Waits for a turn, and judges the answer.
    async fn answer(&self, name: &str, verdict: Verdict) -> Judged {
        self.judge(self.turn().await, name, verdict)
    }

    async fn lost(&self, losses: &Losses) -> Losses {
        let turn = self.dispatcher.turn_alone(patience()).await.expect("a turn");
        let (ruling, _) = self.judge_after(turn, "poison", losses, retry(Blame::Lost));
        let Ruling::Lost(losses, error) = ruling else { panic!("{ruling:?}") };
        assert_eq!(error, "why");
        losses
    }

    fn gate(&self) -> Duration {
        left(self.dispatcher.state().gate)
    }

    /// What an answer left behind, where it is not as at the start.
    fn changes(&self) -> String {
        let state = self.dispatcher.state();
        let (failures, limit) = (state.breaker.failures(), state.limit.current());
        [
            (failures > 0, format!("failures {failures}")),
            (limit != 8, format!("limit {limit}")),
            (state.is_recovering, "one at a time".into()),
            (left(state.gate) > Duration::ZERO, format!("closed for {:.1?}", left(state.gate))),
            (left(state.wish) > Duration::ZERO, format!("wish for {:.1?}", left(state.wish))),
            (state.is_braked, "braked".into()),
        ]
        .into_iter()
        .filter_map(|(is_changed, change)| is_changed.then_some(format!(", {change}")))
        .collect()
    }
}

fn key(name: &str) -> Key {
    (format!("in/{name}"), 1)
}

fn patience() -> Patience {
    let (now, away) = (Instant::now(), 600 * SECOND);
    Patience { until: now + away, gate: away, away, not_before: now }
}

fn left(end: Option<Instant>) -> Duration {
    end.map_or(Duration::ZERO, |end| end.saturating_duration_since(Instant::now()))
}

fn processed() -> Verdict {
    Verdict::Processed(ProcessResponse::default())
}

fn refused(is_deliberate: bool) -> Verdict {
    Verdict::Failed(Refusal { reason: "no column".into(), is_deliberate, doubt: None })
}

fn http_422() -> Verdict {
    let stop = Stop { why: "no column".into(), hint: "check WORKER_URL" };
    let doubt = Some(Doubt { cause: Cause::Refusal(422), stop });
    Verdict::Failed(Refusal { reason: "no column".into(), is_deliberate: true, doubt })
}

fn doubtful() -> Verdict {
    let stop = Stop { why: "not served".into(), hint: "check WORKER_URL" };
    Verdict::Doubtful(Doubt { cause: Cause::Status(Code::Unimplemented), stop })
}

fn stop() -> Verdict {
    Verdict::Stop(Stop { why: "not this caller".into(), hint: "check WORKER_AUDIENCE" })
}

fn retry(blame: Blame) -> Verdict {
    wishing(blame, None)
}

fn wishing(blame: Blame, after: Option<Duration>) -> Verdict {
    Verdict::Retry(Retry { after, blame, why: "why".into() })
}

fn ruled(ruling: &Ruling) -> String {
    match ruling {
        Ruling::Processed(_) => "processed".into(),
        Ruling::Failed(reason) => format!("failed: {reason}"),
        Ruling::Retry(Retry { blame, after, .. }) => format!("retry, {blame:?}, after {after:?}"),
        Ruling::Lost(losses, error) => format!("lost: {losses}: {error}"),
        Ruling::Stop(stop) => format!("stop: {stop}"),
    }
}

/// The table: each verdict about the first of eight calls in flight, by what the worker answered before. Two refusals leave
/// room for one call, and a wish of all objects or a failed call for one that is not taken.
#[tokio::test(start_paused = true)]
async fn each_answer_is_judged_by_what_others_got_and_changes_what_others_may_do() {
    let verdicts: [(&str, Answering); 15] = [
        ("processed", processed),
        ("refused", || refused(false)),
        ("refused deliberately", || refused(true)),
        ("HTTP 422", http_422),
        ("doubtful", doubtful),
        ("stop", stop),
        ("worker", || retry(Blame::Worker)),
        ("worker, 30 s", || wishing(Blame::Worker, Some(30 * SECOND))),
        ("storage", || retry(Blame::Storage)),
        ("deadline", || retry(Blame::Deadline)),
        ("busy", || retry(Blame::Busy)),
        ("busy, 30 s", || wishing(Blame::Busy, Some(30 * SECOND))),
        ("transport", || retry(Blame::Transport)),
        ("lost", || retry(Blame::Lost)),
        ("poll", || retry(Blame::Poll)),
    ];
    let befores: [(&str, usize, Answering); 5] = [
        ("nothing", 0, processed),
        ("one accepted", 1, processed),
        ("two refused", 2, || refused(false)),
        ("three asked to wait", 3, || wishing(Blame::Worker, Some(SECOND))),
        ("a call failed", 1, || retry(Blame::Transport)),
    ];
    let mut table = String::new();
    for (before, count, answer) in befores {
        writeln!(table, "before: {before}").unwrap();
        for (name, verdict) in verdicts {
            fastrand::seed(1);
            let world = World::new();
            for name in ["x", "y", "z"].into_iter().take(count) {
                world.answer(name, answer()).await;
            }
            let first = world.turn().await;
            let others: Vec<_> = (1..8).map_while(|_| world.turn_now()).collect();
            let (ruling, brake) = world.judge(first, "a", verdict());
            let brake = match brake {
                BrakeChange::None => String::new(),
                BrakeChange::Lift => ", brake lifted".into(),
                BrakeChange::PutOn { .. } => ", brake put on".into(),
            };
            writeln!(table, "  {name}: {}{}{brake}", ruled(&ruling), world.changes()).unwrap();
            drop(others);
        }
    }
    insta::assert_snapshot!(table);
}

#[tokio::test(start_paused = true)]
async fn the_time_that_a_busy_worker_asks_for_is_the_least_that_all_calls_wait() {
    let world = World::new();
    let [one, other] = world.turns();
    world.judge(one, "a", wishing(Blame::Busy, Some(30 * SECOND)));
    let gate = world.gate();
    assert!(gate >= 30 * SECOND && gate <= 33 * SECOND, "{gate:?}");
    world.judge(other, "b", wishing(Blame::Busy, Some(SECOND)));
    assert_eq!(world.gate(), gate, "a shorter wish shortens nothing");
    world.turn().await;
    assert!(world.began.elapsed() >= gate);
}

#[tokio::test(start_paused = true)]
async fn a_busy_worker_that_has_other_calls_closes_nothing() {
    let world = World::new();
    let [one, other] = world.turns();
    world.judge(one, "a", retry(Blame::Busy));
    assert_eq!(world.gate(), Duration::ZERO);
    world.judge(other, "b", retry(Blame::Busy));
    assert_ne!(world.gate(), Duration::ZERO, "no call is left whose end could be waited for");
}

#[tokio::test(start_paused = true)]
async fn a_wish_of_three_objects_holds_all_calls_until_an_acceptance() {
    let world = World::new();
    let blame = |ruling: Ruling| match ruling {
        Ruling::Retry(retry) => (retry.blame, retry.after),
        other => panic!("{other:?}"),
    };
    let wish = Some(30 * SECOND);
    let [a, b, c, d] = world.turns();
    for (turn, name) in [(a, "a"), (b, "b")] {
        let ruling = world.judge(turn, name, wishing(Blame::Worker, wish)).0;
        assert_eq!(blame(ruling), (Blame::Worker, wish));
    }
    let ruling = world.judge(c, "c", wishing(Blame::Worker, wish)).0;
    assert_eq!(blame(ruling), (Blame::WorkerWide, wish), "it puts the object itself off");
    let held = left(world.dispatcher.state().wish);
    assert!(held >= 30 * SECOND && held <= 33 * SECOND, "{held:?}");
    world.judge(d, "d", processed());
    assert_eq!(world.dispatcher.state().wish, None);
}

#[tokio::test(start_paused = true)]
async fn calls_sent_before_a_wish_of_all_do_not_lengthen_it() {
    let world = World::new();
    let wish = || left(world.dispatcher.state().wish);
    let mut turns = world.turns::<6>().into_iter();
    let mut asks = |name, after| {
        let turn = turns.next().expect("one of six");
        world.judge(turn, name, wishing(Blame::Worker, after));
        wish()
    };
    asks("a", None);
    asks("b", None);
    let first = asks("c", None);
    asks("d", None);
    assert_eq!(asks("e", Some(30 * SECOND)), first, "both were sent before");
    advance(first).await;
    assert!(asks("f", None) >= SECOND, "the second pause is twice as long");
}

#[tokio::test(start_paused = true)]
async fn objects_that_had_attempts_before_make_no_wish_of_the_worker() {
    let world = World::new();
    let losses = Losses::parse("1970-01-01T00:00:00Z 1.0s together");
    for name in ["a", "b", "c", "d"] {
        let turn = world.turn().await;
        let ruling = world.judge_after(turn, name, &losses, retry(Blame::Worker)).0;
        assert!(matches!(ruling, Ruling::Retry(Retry { blame: Blame::Worker, .. })), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn calls_that_are_lost_together_halve_the_limit_once() {
    let world = World::new();
    let turns: [_; 3] = world.turns();
    for turn in turns {
        world.judge(turn, "a", retry(Blame::Lost));
    }
    assert_eq!(world.dispatcher.limit(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_found_away_while_idle_clears_an_object_of_its_next_loss() {
    for (is_idle, how) in [(true, How::Alone), (false, How::Counted)] {
        let world = World::new();
        let first = world.lost(&Losses::default()).await;
        advance(10 * SECOND).await;
        world.answer("good", processed()).await;
        let second = world.lost(&first).await;
        assert_eq!(second.last().unwrap().how, How::Counted);
        advance(10 * SECOND).await;
        world.answer("good", processed()).await;
        let other = (!is_idle).then(|| world.turn_now());
        world.answer("a", retry(Blame::Transport)).await;
        drop(other);
        advance(10 * SECOND).await;
        let third = world.lost(&second).await;
        assert_eq!(third.last().unwrap().how, how, "idle: {is_idle}");
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_failed_call_one_call_at_a_time_is_sent_until_one_is_taken() {
    let world = World::new();
    world.answer("a", retry(Blame::Transport)).await;
    let first = world.turn().await;
    assert!(world.turn_now().is_none(), "the first one is not taken yet");
    world.judge(first, "a", retry(Blame::Worker));
    let _turns: [_; 2] = world.turns();
}

#[tokio::test(start_paused = true)]
async fn an_http_status_that_refuses_is_about_the_object_once_other_objects_show_it() {
    let world = World::new();
    let early = world.answer("a", http_422()).await.0;
    assert!(matches!(early, Ruling::Retry(Retry { blame: Blame::EarlyDoubt, .. })), "{early:?}");
    let failed = Ruling::Failed("no column".into());
    assert_eq!(world.answer("a", http_422()).await.0, failed, "no other object got it");
    let other = world.answer("b", http_422()).await.0;
    assert!(matches!(other, Ruling::Stop(_)), "{other:?}");
    world.answer("good", processed()).await;
    assert_eq!(world.answer("b", http_422()).await.0, failed);
}

#[tokio::test(start_paused = true)]
async fn refusals_of_calls_in_flight_put_the_brake_on_once_and_deliberate_ones_do_not() {
    let world = World::new();
    for name in ["a", "b", "c", "d"] {
        assert_eq!(world.answer(name, refused(true)).await.1, BrakeChange::None);
    }
    let turns: [_; 5] = world.turns();
    let changes: Vec<_> = (turns.into_iter().zip(["a", "b", "c", "d", "e"]))
        .map(|(turn, name)| world.judge(turn, name, refused(false)).1)
        .collect();
    let reason = Reason { count: 3, reason: "no column".into(), example: "gs://data/in/a".into() };
    let on = BrakeChange::PutOn { reasons: vec![reason], prefixes: vec!["in/".into()] };
    let none = || BrakeChange::None;
    assert_eq!(changes, [none(), none(), on, none(), none()], "a second time doubles its pause");
    assert!(matches!(world.dispatcher.turn(patience()).await, Err(NoTurn::Braked)));
}

#[tokio::test(start_paused = true)]
async fn losses_that_could_not_be_written_are_remembered_until_an_acceptance_the_oldest_go_first() {
    let world = World::new();
    let losses = Losses::parse("1970-01-01T00:00:00Z 1.0s alone");
    let remembered = |number: usize| world.dispatcher.remembered_losses(&key(&number.to_string()));
    for number in 0..=REMEMBERED {
        world.dispatcher.remember_losses(&key(&number.to_string()), losses.clone());
        assert_eq!(remembered(0).is_some(), number < REMEMBERED, "{number}");
    }
    assert_eq!(remembered(1), Some(losses.clone()));
    assert_eq!(remembered(REMEMBERED), Some(losses));
    world.answer(&REMEMBERED.to_string(), processed()).await;
    assert_eq!(remembered(REMEMBERED), None);
}
