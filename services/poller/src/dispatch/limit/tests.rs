use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

/// What happens to a call of the modelled worker.
#[derive(Clone, Copy)]
enum Event {
    Busy,
    Alive,
    Done,
}

/// Drains `files` of `work` through a worker with `places`: the time as a ratio to the ideal, and the calls a file.
/// A refusal comes after some µs; a call that goes on for 250 ms is accepted then.
fn drained(places: usize, files: usize, max: usize, work: Duration) -> (f64, f64) {
    drained_with_refusals_after(2_000, places, files, max, work)
}

fn drained_with_refusals_after(
    refusal: u64,
    places: usize,
    files: usize,
    max: usize,
    work: Duration,
) -> (f64, f64) {
    const ALIVE: u64 = 250_000;
    let work = u64::try_from(work.as_micros()).unwrap();
    let mut limit = Limit::new(max);
    // Ordered by time, then by call.
    let mut events = std::collections::BTreeMap::new();
    let mut tickets = HashMap::new();
    let (mut now, mut gate, mut calls) = (0_u64, 0_u64, 0_u64);
    let (mut waiting, mut done, mut at_work) = (files, 0, 0);
    while done < files {
        while waiting > 0 && limit.in_flight() < limit.current() && now >= gate {
            waiting -= 1;
            calls += 1;
            tickets.insert(calls, (limit.sent(), false));
            if at_work == places {
                events.insert((now + refusal, calls), Event::Busy);
                continue;
            }
            at_work += 1;
            events.insert((now + work, calls), Event::Done);
            if work > ALIVE {
                events.insert((now + ALIVE, calls), Event::Alive);
            }
        }
        let next = events.first_key_value().map_or(u64::MAX, |(&(at, _), _)| at);
        if now < gate && gate < next {
            now = gate;
            continue;
        }
        let ((at, call), event) = events.pop_first().expect("a call is in flight");
        now = at;
        let (ticket, was_accepted) = tickets.get_mut(&call).unwrap();
        match event {
            Event::Busy => {
                limit.ended();
                waiting += 1;
                if let Some(pause) = limit.busy(*ticket) {
                    gate = now + u64::try_from(pause.as_micros()).unwrap();
                }
            }
            Event::Alive => {
                limit.accepted(*ticket);
                *was_accepted = true;
            }
            Event::Done => {
                if !*was_accepted {
                    limit.accepted(*ticket);
                }
                limit.ended();
                at_work -= 1;
                done += 1;
            }
        }
    }
    let per_place = ratio(files, places.min(max));
    (ratio(now, work) / per_place, ratio(calls, files))
}

fn ratio(a: impl TryInto<u32>, b: impl TryInto<u32>) -> f64 {
    let number = |n: Option<u32>| f64::from(n.expect("it fits"));
    number(a.try_into().ok()) / number(b.try_into().ok())
}

#[test]
fn a_worker_of_any_size_is_kept_busy_with_few_calls_more_than_files() {
    for max in [32, 256] {
        for places in [1, 4, 32, 200] {
            let files = (20 * places).max(40);
            let (time, calls) = drained(places, files, max, Duration::from_millis(500));
            println!("max {max}, {places} places: {time:.3} of the ideal, {calls:.3} calls a file");
            assert!(time <= 1.25 && calls <= 1.3, "max {max}, {places}: {time}, {calls}");
        }
    }
}

#[test]
fn short_and_long_files_come_near_the_ideal_too() {
    for (places, files, work) in
        [(4, 40, 400), (2, 80, 2_000), (4, 40, 150_000), (32, 640, 50), (200, 4_000, 150_000)]
    {
        let (time, calls) = drained(places, files, 256, Duration::from_millis(work));
        println!("{places} places, {work} ms: {time:.3} of the ideal, {calls:.3} calls a file");
        assert!(time <= 1.25 && calls <= 1.3, "{places}, {work} ms: {time}, {calls}");
    }
}

#[test]
fn a_worker_that_refuses_late_is_not_flooded() {
    for (refusal, places) in [(50_000, 4), (2_000_000, 4), (50_000, 200), (2_000_000, 32)] {
        let (time, calls) = drained_with_refusals_after(
            refusal,
            places,
            40 * places,
            256,
            Duration::from_millis(500),
        );
        println!("{places} places, refusals after {refusal} µs: {time:.3}, {calls:.3}");
        assert!(time <= 1.25 && calls <= 1.3, "{places}, {refusal} µs: {time}, {calls}");
    }
}

#[test]
fn it_starts_with_a_few_and_never_below_one() {
    assert_eq!(Limit::new(0).current(), 1);
    assert_eq!(Limit::new(3).current(), 3);
    assert_eq!(Limit::new(256).current(), 8);
}

/// A limit with as many calls in flight as it allows.
fn full(max: usize) -> (Limit, Vec<Ticket>) {
    let mut limit = Limit::new(max);
    let tickets = (0..limit.current()).map(|_| limit.sent()).collect();
    (limit, tickets)
}

fn busy(limit: &mut Limit, ticket: Ticket) -> Option<Duration> {
    limit.ended();
    limit.busy(ticket)
}

fn done(limit: &mut Limit, ticket: Ticket) {
    limit.accepted(ticket);
    limit.ended();
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// A burst of eight to a worker with some places: whatever the order of the answers, the limit ends at those places.
    #[test]
    fn the_answers_of_a_burst_never_cut_below_what_the_worker_took(
        taken in 1_usize..8,
        order in Just((0..8_usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let (mut limit, tickets) = full(8);
        for call in order {
            if call < taken { done(&mut limit, tickets[call]) } else { busy(&mut limit, tickets[call]); }
        }
        prop_assert_eq!(limit.current(), taken);
    }
}

#[test]
fn a_refusal_of_a_newer_call_than_the_last_cut_counts_what_is_in_flight_then() {
    let (mut limit, tickets) = full(8);
    for &ticket in &tickets[4..] {
        busy(&mut limit, ticket);
    }
    assert_eq!((limit.current(), limit.in_flight()), (4, 4));
    // Two end and the worker has lost two places since.
    done(&mut limit, tickets[0]);
    done(&mut limit, tickets[1]);
    let newer = [limit.sent(), limit.sent()];
    busy(&mut limit, newer[0]);
    assert_eq!(limit.current(), 3);
    busy(&mut limit, newer[1]);
    assert_eq!(limit.current(), 2);
}

#[test]
fn what_ended_since_a_call_was_sent_was_taken_beside_it_up_to_one_below_the_limit() {
    let (mut limit, tickets) = full(8);
    for _ in 0..20 {
        limit.sent();
        limit.ended();
    }
    busy(&mut limit, tickets[0]);
    assert_eq!(limit.current(), 7);
}

#[test]
fn it_grows_only_while_it_is_used() {
    let (mut limit, tickets) = full(256);
    limit.accepted(tickets[0]);
    assert_eq!(limit.current(), 9);
    // 8 of 9 and 8 of 10 are four fifths at least, 8 of 11 are not.
    limit.accepted(tickets[1]);
    limit.accepted(tickets[2]);
    limit.accepted(tickets[3]);
    assert_eq!(limit.current(), 11);
}

#[test]
fn it_never_grows_above_the_most() {
    let (mut limit, tickets) = full(8);
    for ticket in tickets {
        limit.accepted(ticket);
    }
    assert_eq!(limit.current(), 8);
}

/// Sends and accepts calls one after the other at a full limit until it grows, and counts them.
fn until_it_grows(limit: &mut Limit) -> usize {
    while limit.in_flight() < limit.current() {
        limit.sent();
    }
    let before = limit.current();
    for calls in 1..1_000 {
        let ticket = limit.sent();
        limit.ended();
        limit.accepted(ticket);
        if limit.current() > before {
            return calls;
        }
    }
    panic!("it never grows");
}

#[test]
fn a_try_of_one_more_comes_later_when_it_fails_and_as_before_when_two_hold() {
    let (mut limit, tickets) = full(256);
    for &ticket in &tickets[4..] {
        busy(&mut limit, ticket);
    }
    assert_eq!(limit.current(), 4);
    let mut tried = Vec::new();
    for _ in 0..3 {
        tried.push(until_it_grows(&mut limit));
        let ticket = limit.sent();
        busy(&mut limit, ticket);
        assert_eq!(limit.current(), 4);
    }
    assert_eq!(tried, [14, 16, 16], "doubled, up to 16 or four times the limit");
    // The first is the try, two more hold: from then on as at first. Two more, and it grows with each call.
    let held: Vec<_> = (0..7).map(|_| until_it_grows(&mut limit)).collect();
    assert_eq!(held, [16, 16, 16, 12, 14, 1, 1]);
    // At the next refusal it is slow again.
    let ticket = limit.sent();
    busy(&mut limit, ticket);
    assert_eq!((limit.current(), until_it_grows(&mut limit)), (10, 20));
}

#[test]
fn a_large_burst_at_a_small_worker_does_not_put_off_the_next_try() {
    let mut limit = Limit::new(256);
    let tickets: Vec<_> = (0..200).map(|_| limit.sent()).collect();
    limit.accepted(tickets[0]);
    limit.current = 200;
    for &ticket in &tickets[4..] {
        busy(&mut limit, ticket);
    }
    assert_eq!((limit.current(), until_it_grows(&mut limit)), (4, 16));
}

#[test]
fn the_next_try_at_a_large_worker_comes_after_four_times_its_limit_at_most() {
    let mut limit = Limit::new(256);
    while limit.current() < 21 {
        until_it_grows(&mut limit);
    }
    let mut tried = Vec::new();
    for _ in 0..3 {
        while limit.in_flight() < 20 {
            limit.sent();
        }
        let ticket = limit.sent();
        busy(&mut limit, ticket);
        assert_eq!(limit.current(), 20);
        tried.push(until_it_grows(&mut limit));
    }
    assert_eq!(tried, [40, 80, 80]);
}

#[test]
fn a_loss_halves_once_for_all_calls_sent_before() {
    let (mut limit, tickets) = full(256);
    for &ticket in &tickets[..3] {
        limit.ended();
        limit.halve(ticket);
    }
    assert_eq!(limit.current(), 4);
    // The worker may have taken the lost ones: seven at the cut, less those it refuses.
    let refused = tickets[3..].iter().map(|&ticket| {
        busy(&mut limit, ticket);
        limit.current()
    });
    assert_eq!(refused.collect::<Vec<_>>(), [4, 4, 4, 3, 2]);
    let newer = limit.sent();
    limit.ended();
    limit.halve(newer);
    assert_eq!(limit.current(), 1);
    assert_eq!(until_it_grows(&mut limit), 10, "slowly");
}

#[test]
fn a_worker_that_is_busy_without_a_call_of_ours_gets_growing_pauses() {
    let mut limit = Limit::new(1);
    let pauses = |limit: &mut Limit| -> Vec<Duration> {
        (0..200)
            .map(|_| {
                let ticket = limit.sent();
                busy(limit, ticket).expect("nothing is in flight")
            })
            .collect()
    };
    fastrand::seed(1);
    let first = pauses(&mut limit);
    assert!(first[0] <= Duration::from_millis(50) && first[1] <= Duration::from_millis(100));
    let longest = *first.iter().max().unwrap();
    assert!(longest > Duration::from_secs(4) && longest <= Duration::from_secs(5), "{longest:?}");
    let ticket = limit.sent();
    done(&mut limit, ticket);
    assert!(pauses(&mut limit)[0] <= Duration::from_millis(50));

    let (mut limit, tickets) = full(2);
    assert_eq!(busy(&mut limit, tickets[0]), None, "a call is in flight: it waits for its end");
    assert!(busy(&mut limit, tickets[1]).is_some());
}

/// What a worker may do to a call.
#[derive(Clone, Copy, Debug)]
enum Step {
    Send,
    Accept(usize),
    End(usize),
    Busy(usize),
    Lose(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Send),
        1 => any::<usize>().prop_map(Step::Accept),
        1 => any::<usize>().prop_map(Step::End),
        1 => any::<usize>().prop_map(Step::Busy),
        1 => any::<usize>().prop_map(Step::Lose),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_worker_answers_it_stays_between_one_and_the_most_and_grows_again(
        max in 1_usize..40,
        steps in proptest::collection::vec(step(), 0..300),
    ) {
        let mut limit = Limit::new(max);
        let mut calls: Vec<(Ticket, bool)> = Vec::new();
        for step in steps {
            match step {
                Step::Send if limit.in_flight() < limit.current() => calls.push((limit.sent(), false)),
                Step::Send => {}
                _ if calls.is_empty() => {}
                Step::Accept(index) => {
                    let index = index % calls.len();
                    let (ticket, was_accepted) = &mut calls[index];
                    if !*was_accepted {
                        *was_accepted = true;
                        limit.accepted(*ticket);
                    }
                }
                Step::End(index) | Step::Busy(index) | Step::Lose(index) => {
                    let (ticket, _) = calls.swap_remove(index % calls.len());
                    limit.ended();
                    match step {
                        Step::Busy(_) => {
                            let pause = limit.busy(ticket);
                            prop_assert_eq!(pause.is_some(), calls.is_empty());
                        }
                        Step::Lose(_) => limit.halve(ticket),
                        _ => {}
                    }
                }
            }
            prop_assert!((1..=max).contains(&limit.current()));
            prop_assert_eq!(limit.in_flight(), calls.len());
        }
        // A worker that takes everything is given the most in the end.
        while !calls.is_empty() {
            calls.pop();
            limit.ended();
        }
        for _ in 0..20_000 {
            while limit.in_flight() < limit.current() {
                calls.push((limit.sent(), false));
            }
            done(&mut limit, calls.pop().unwrap().0);
        }
        prop_assert_eq!(limit.current(), max);
    }
}
