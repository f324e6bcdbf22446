//! One fetch however many wait, renewed in time.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use tokio::task::JoinHandle;

use super::*;

/// Hands out tokens of a life, and counts.
#[derive(Debug, Default)]
pub(super) struct Counting {
    pub(super) fetched: AtomicUsize,
    pub(super) broken: AtomicBool,
    pub(super) slow: bool,
    panics: AtomicBool,
}

impl Counting {
    fn slow() -> Self {
        Self { slow: true, ..Self::default() }
    }

    pub(super) fn fetched(&self) -> usize {
        self.fetched.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl TokenSource for Arc<Counting> {
    async fn fetch(&self, audience: &str) -> Result<IdToken, Error> {
        let number = self.fetched.fetch_add(1, Ordering::SeqCst);
        if self.slow {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert!(!self.panics.load(Ordering::SeqCst), "a source with a bug");
        if self.broken.load(Ordering::SeqCst) {
            return Err(Error::away("it", "away"));
        }
        IdToken::parse(&numbered(audience, now() + 3600, number), audience, "test")
    }

    fn describe(&self) -> String {
        "counting".into()
    }
}

pub(super) fn cached(source: Counting) -> (Arc<Counting>, Arc<Cached<Arc<Counting>>>) {
    let source = Arc::new(source);
    (source.clone(), Arc::new(Cached::new(source)))
}

fn spawned(cached: &Arc<Cached<Arc<Counting>>>) -> JoinHandle<Result<IdToken, Error>> {
    let cached = cached.clone();
    tokio::spawn(async move { cached.fetch(AUDIENCE).await })
}

/// A call a second, each with its token refused.
async fn refuse_for_a_minute(cached: &Cached<Arc<Counting>>) {
    for _ in 0..60 {
        let token = cached.fetch(AUDIENCE).await.unwrap();
        cached.invalidate(AUDIENCE, &token);
        tokio::time::advance(Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_hundred_first_calls_cost_one_fetch() {
    let (source, cached) = cached(Counting::slow());
    let calls: Vec<_> = (0..100).map(|_| spawned(&cached)).collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(source.fetched(), 1);
}

#[tokio::test(start_paused = true)]
async fn each_audience_has_its_own_token() {
    let (source, cached) = cached(Counting::default());
    for audience in ["https://a", "https://b", "https://a"] {
        cached.fetch(audience).await.unwrap();
    }
    assert_eq!(source.fetched(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_renewed_before_it_ends_and_nobody_waits_for_it() {
    let (source, cached) = cached(Counting::default());
    cached.fetch(AUDIENCE).await.unwrap();
    tokio::time::advance(Duration::from_secs(3600 - 299)).await;
    cached.fetch(AUDIENCE).await.unwrap();
    tokio::task::yield_now().await;
    assert_eq!(source.fetched(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_fails_keeps_the_token_while_it_is_valid() {
    let (source, cached) = cached(Counting::default());
    let first = cached.fetch(AUDIENCE).await.unwrap();
    source.broken.store(true, Ordering::SeqCst);
    tokio::time::advance(Duration::from_secs(3600 - 120)).await;
    let second = cached.fetch(AUDIENCE).await.unwrap();
    assert_eq!(first.secret(), second.secret());
    tokio::time::advance(Duration::from_secs(115)).await;
    let error = cached.fetch(AUDIENCE).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_was_refused_is_fetched_again_once() {
    let (source, cached) = cached(Counting::default());
    let refused = cached.fetch(AUDIENCE).await.unwrap();
    assert!(cached.invalidate(AUDIENCE, &refused));
    let fresh = cached.fetch(AUDIENCE).await.unwrap();
    assert_ne!(fresh.secret(), refused.secret());
    // Another call, refused at the same time with the same token, finds the fresh one.
    assert!(cached.invalidate(AUDIENCE, &refused));
    let cached_now = cached.fetch(AUDIENCE).await.unwrap();
    assert_eq!(cached_now.secret(), fresh.secret());
    assert_eq!(source.fetched(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_serves_again_while_there_is_no_other_and_it_is_valid() {
    let (source, cached) = cached(Counting::default());
    let refused = cached.fetch(AUDIENCE).await.unwrap();
    source.broken.store(true, Ordering::SeqCst);
    assert!(cached.invalidate(AUDIENCE, &refused));
    assert!(cached.ready(AUDIENCE).is_none(), "it must be fetched again");
    let twice = cached.invalidate(AUDIENCE, &refused);
    assert!(twice, "told twice of one call");
    let again = cached.fetch(AUDIENCE).await.unwrap();
    assert_eq!(again.secret(), refused.secret());
    assert!(cached.ready(AUDIENCE).is_some());
    assert!(!cached.invalidate(AUDIENCE, &refused), "it was just tried");
    assert_eq!(source.fetched(), 2);

    tokio::time::advance(Duration::from_secs(3595)).await;
    let error = cached.fetch(AUDIENCE).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    source.broken.store(false, Ordering::SeqCst);
    cached.fetch(AUDIENCE).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_without_another_costs_two_fetches_a_minute_and_not_one_a_call() {
    let (source, cached) = cached(Counting::default());
    cached.fetch(AUDIENCE).await.unwrap();
    source.broken.store(true, Ordering::SeqCst);
    refuse_for_a_minute(&cached).await;
    assert_eq!(source.fetched(), 3, "the first, and two forced ones");
}

#[tokio::test(start_paused = true)]
async fn a_callee_that_refuses_every_token_costs_two_fetches_a_minute_and_not_one_a_call() {
    let (source, cached) = cached(Counting::default());
    refuse_for_a_minute(&cached).await;
    assert_eq!(source.fetched(), 3, "the first, and two forced ones");
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_gives_up_takes_nothing_from_the_others() {
    let (source, cached) = cached(Counting::slow());
    let first = spawned(&cached);
    tokio::task::yield_now().await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    assert_eq!(source.fetched(), 1, "the fetch had begun");
    cached.fetch(AUDIENCE).await.unwrap();
    assert_eq!(source.fetched(), 1);
}

#[tokio::test(start_paused = true)]
async fn all_who_wait_share_one_failure_and_the_next_call_tries_again() {
    let (source, cached) = cached(Counting::slow());
    source.broken.store(true, Ordering::SeqCst);
    let calls: Vec<_> = (0..100).map(|_| spawned(&cached)).collect();
    for call in calls {
        assert!(call.await.unwrap().unwrap_err().is_transient());
    }
    assert_eq!(source.fetched(), 1);
    source.broken.store(false, Ordering::SeqCst);
    cached.fetch(AUDIENCE).await.unwrap();
    assert_eq!(source.fetched(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_panics_is_an_error_and_not_the_end() {
    let (source, cached) = cached(Counting::default());
    source.panics.store(true, Ordering::SeqCst);
    let error = cached.fetch(AUDIENCE).await.unwrap_err();
    assert!(matches!(error, Error::Away { .. }), "{error}");
    source.panics.store(false, Ordering::SeqCst);
    cached.fetch(AUDIENCE).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_source_that_hangs_is_given_up_after_a_minute() {
    #[derive(Debug)]
    struct Hanging;
    #[async_trait]
    impl TokenSource for Hanging {
        async fn fetch(&self, _: &str) -> Result<IdToken, Error> {
            std::future::pending().await
        }
        fn describe(&self) -> String {
            "it".into()
        }
    }
    let began = tokio::time::Instant::now();
    let error = Cached::new(Hanging).fetch(AUDIENCE).await.unwrap_err();
    assert_eq!(began.elapsed().as_secs(), 60);
    assert!(error.is_transient(), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_token_is_at_hand_once_it_was_fetched_and_until_it_ends() {
    let (_, cached) = cached(Counting::default());
    assert!(cached.ready(AUDIENCE).is_none());
    cached.fetch(AUDIENCE).await.unwrap();
    assert!(cached.ready(AUDIENCE).is_some());
    assert!(cached.ready("https://other").is_none());
    tokio::time::advance(Duration::from_secs(3595)).await;
    assert!(cached.ready(AUDIENCE).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_fails_is_not_repeated_by_every_call() {
    let (source, cached) = cached(Counting::default());
    cached.fetch(AUDIENCE).await.unwrap();
    source.broken.store(true, Ordering::SeqCst);
    tokio::time::advance(Duration::from_secs(3600 - 240)).await;
    for _ in 0..100 {
        cached.fetch(AUDIENCE).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(source.fetched(), 2);
    tokio::time::advance(Duration::from_secs(31)).await;
    cached.fetch(AUDIENCE).await.unwrap();
    tokio::task::yield_now().await;
    assert_eq!(source.fetched(), 3);
}

/// Answers with these statuses, one after another, and then with a token.
#[derive(Debug)]
struct Statuses(std::sync::Mutex<Vec<u16>>, AtomicUsize);

#[async_trait]
impl TokenSource for Statuses {
    async fn fetch(&self, audience: &str) -> Result<IdToken, Error> {
        self.1.fetch_add(1, Ordering::SeqCst);
        match self.0.lock().unwrap().pop() {
            Some(status) => {
                Err(Error::Refused { source_name: self.describe(), status, why: String::new() })
            }
            None => IdToken::parse(&numbered(audience, now() + 3600, 0), audience, "test"),
        }
    }

    fn describe(&self) -> String {
        "statuses".into()
    }
}

/// What these statuses, the last one first, come to: whether there is a token, and after how many requests.
async fn after(statuses: &[u16]) -> (bool, usize) {
    let source = Arc::new(Statuses(statuses.to_vec().into(), AtomicUsize::new(0)));
    let cached = Cached::new(source.clone() as Arc<dyn TokenSource>);
    (cached.fetch(AUDIENCE).await.is_ok(), source.1.load(Ordering::SeqCst))
}

#[tokio::test(start_paused = true)]
async fn a_source_that_answers_503_is_asked_again_three_times_and_no_more() {
    assert_eq!(after(&[503]).await, (true, 2));
    assert_eq!(after(&[500, 429, 504]).await, (true, 4));
    let began = tokio::time::Instant::now();
    assert_eq!(after(&[503; 9]).await, (false, 4));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_does_not_pass_is_final_at_once() {
    for status in [400, 401, 403, 404] {
        assert_eq!(after(&[status]).await, (false, 1), "{status}");
    }
}
