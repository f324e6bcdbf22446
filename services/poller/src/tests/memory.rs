//! What a poll holds at once, counted: it does not grow with the inbox.

use brigade_sim::Synthetic;

use super::{
    world::{Script, config},
    *,
};

const PAGE: u64 = 1_000;
const CONCURRENCY: u64 = 4;
/// Objects that may wait for their next try at once.
const WAITING: u64 = 1_000;

fn start(bucket: &Synthetic, worker: Script) -> Events {
    Poller::new(config("in/"), bucket, Arc::new(worker))
        .lease(false)
        .start(&PollRequest::default(), &Trigger::default())
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_poll_asks_for_the_next_page_when_it_is_done_with_the_last_but_for_what_is_in_flight() {
    let inbox = Synthetic::new("data", "in/", 20 * PAGE);
    let ended = collect(start(&inbox, Script::default())).await;
    assert_eq!(ended.settled.len() as u64, 20 * PAGE);
    assert_eq!((inbox.pages(), inbox.written()), (20, 20 * PAGE));
    assert!(inbox.most_open() <= CONCURRENCY, "{}", inbox.most_open());
}

#[tokio::test(start_paused = true)]
async fn objects_that_wait_for_their_next_try_are_bounded_too() {
    let mut later = Answer::status(Code::Unavailable, "later");
    if let Answer::Worker(answer) = &mut later {
        answer.retry_after = Some(Duration::from_secs(20));
        // Nothing is written on the object while it waits.
        answer.is_storage = true;
    }
    let inbox = Synthetic::new("data", "in/", 5 * PAGE);
    // A worker that accepts none would be taken to ask for time itself.
    let worker = Script { otherwise: Some(later), accepts_every: Some(2), ..Script::default() };
    let mut events = start(&inbox, worker);
    while inbox.pages() < 5 {
        events.recv().await.unwrap().unwrap();
    }
    let open = inbox.most_open();
    assert!(open >= WAITING, "none waited: {open}");
    assert!(open <= WAITING + CONCURRENCY, "{open}");
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_is_slow_holds_the_poll_back() {
    let inbox = Synthetic::new("data", "in/", 20 * PAGE);
    let mut events = start(&inbox, Script::default());
    // Longer, and it counts as gone.
    tokio::time::sleep(Duration::from_secs(9)).await;
    assert_eq!(inbox.pages(), 1);
    assert!(inbox.written() <= MAX_BEHIND as u64 + CONCURRENCY);
    while inbox.pages() < 2 {
        events.recv().await.unwrap().unwrap();
    }
}
