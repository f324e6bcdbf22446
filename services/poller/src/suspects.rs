//! Objects of one poll whose calls were lost: they wait until all others have had their turn. Those with the fewest losses come
//! first, so that the ones that end the worker hold no other.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use tokio::{
    sync::{Notify, oneshot},
    time::{Duration, Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

use crate::losses::{Isolation, Losses};

/// The suspects of one poll.
#[derive(Debug, Default)]
pub(crate) struct Suspects {
    queue: Mutex<Queue>,
    /// One of them began to wait.
    pub(crate) joined: Notify,
    opened: CancellationToken,
    /// When their time is over.
    end: OnceLock<Instant>,
}

#[derive(Debug, Default)]
struct Queue {
    joined: u64,
    /// Those that are asked about beside others, until they are done.
    beside: usize,
    /// Those that are to be alone, by their losses and in the order in which they joined.
    alone: BTreeMap<(usize, u64), oneshot::Sender<()>>,
    /// One of them has its turn.
    is_taken: bool,
}

/// A suspect, until it is done.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    suspects: &'a Suspects,
    /// Nothing for one that is asked about beside others.
    alone: Option<((usize, u64), oneshot::Receiver<()>)>,
}

// === impl Suspects ===

impl Suspects {
    /// How many have joined.
    pub(crate) fn waiting(&self) -> usize {
        let queue = self.queue();
        queue.beside + queue.alone.len()
    }

    pub(crate) fn is_open(&self) -> bool {
        self.opened.is_cancelled()
    }

    /// Their turn has come. They have so much time together.
    pub(crate) fn open(&self, share: Duration) {
        self.end.get_or_init(|| Instant::now() + share);
        self.opened.cancel();
        self.next(self.queue());
    }

    pub(crate) fn join(&self, losses: &Losses) -> Place<'_> {
        let mut queue = self.queue();
        queue.joined += 1;
        let alone = if losses.isolation() == Isolation::Alone {
            let key = (losses.count(), queue.joined);
            let (turn, waiting) = oneshot::channel();
            queue.alone.insert(key, turn);
            Some((key, waiting))
        } else {
            queue.beside += 1;
            None
        };
        self.next(queue);
        self.joined.notify_one();
        Place { suspects: self, alone }
    }

    /// Gives the next one its turn that is to be alone, once those before it are done.
    fn next(&self, mut queue: MutexGuard<'_, Queue>) {
        if self.is_open()
            && queue.beside == 0
            && !queue.is_taken
            && let Some((_, turn)) = queue.alone.pop_first()
        {
            queue.is_taken = true;
            // One that is given up meanwhile gives its turn back when it is dropped.
            let _ = turn.send(());
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Place ===

impl Place<'_> {
    /// Waits for its turn: when the suspects' time is over. Nothing when it is over before.
    pub(crate) async fn turn(&mut self) -> Option<Instant> {
        self.suspects.opened.cancelled().await;
        let end = *self.suspects.end.get()?;
        if let Some((_, waiting)) = &mut self.alone {
            timeout_at(end, waiting).await.ok()?.ok()?;
        }
        Some(end)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut queue = self.suspects.queue();
        match &self.alone {
            None => queue.beside -= 1,
            Some((key, _)) => {
                let had_its_turn = queue.alone.remove(key).is_none();
                queue.is_taken &= !had_its_turn;
            }
        }
        self.suspects.next(queue);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn lost(how: &[&str]) -> Losses {
        let written: Vec<_> =
            how.iter().map(|how| format!("1970-01-01T00:00:00Z 1.0s {how}")).collect();
        Losses::parse(&written.join("; "))
    }

    #[tokio::test(start_paused = true)]
    async fn suspects_wait_until_their_turn_comes_and_one_that_is_given_up_waits_no_more() {
        let suspects = Suspects::default();
        let once = lost(&["together"]);
        let (mut first, second) = (suspects.join(&once), suspects.join(&once));
        assert!(first.turn().now_or_never().is_none());
        assert_eq!((suspects.waiting(), suspects.is_open()), (2, false));
        suspects.joined.notified().now_or_never().expect("the poll hears of it");
        drop(second);
        assert_eq!(suspects.waiting(), 1);
        suspects.open(SECOND);
        assert_eq!(first.turn().await, Some(Instant::now() + SECOND));
        drop(first);
        assert_eq!(suspects.waiting(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn one_at_a_time_is_alone_after_those_beside_others_and_with_few_losses_first() {
        let suspects = Suspects::default();
        let end = Instant::now() + 10 * SECOND;
        let mut often = suspects.join(&lost(&["alone", "alone", "alone"]));
        let mut twice = suspects.join(&lost(&["together", "together"]));
        let mut once = suspects.join(&lost(&["together"]));
        suspects.open(10 * SECOND);
        suspects.open(20 * SECOND);
        assert!(twice.turn().now_or_never().is_none(), "one beside others is not done");
        assert_eq!(once.turn().await, Some(end), "what opens them first says how long");
        drop(once);
        assert!(often.turn().now_or_never().is_none());
        assert_eq!(twice.turn().await, Some(end));
        let mut late = suspects.join(&lost(&["alone"]));
        assert!(late.turn().now_or_never().is_none(), "another one is alone");
        drop(twice);
        assert!(often.turn().now_or_never().is_none(), "it has more losses");
        drop(late);
        assert_eq!(often.turn().await, Some(end));
        let mut last = suspects.join(&lost(&["alone"]));
        assert_eq!(last.turn().await, None);
        assert_eq!(Instant::now(), end, "it waited until their time was over");
    }
}
