//! `kill -9` of the poller, at any moment of a poll.

use std::{net::SocketAddr, time::Duration};

use fastrand::Rng;

use crate::{
    files::Files,
    google::{Google, PICKY},
    process::Process,
    rounds,
};

/// A poller that is killed again and again, and what it works with.
struct Lane {
    google: Google,
    processed: &'static str,
    worker: SocketAddr,
    _worker: Process,
    poller: Process,
    address: SocketAddr,
}

impl Lane {
    async fn start(processed: &'static str) -> Self {
        let google = Google::start().await;
        let (process, worker) = google.worker(PICKY).await;
        let (poller, address) = google.poller(worker, processed).await;
        Self { google, processed, worker, _worker: process, poller, address }
    }

    /// One poll that is cut by a kill, and as many whole ones as it takes then. Whether the kill came before its end.
    async fn round(&mut self, seed: u64) -> bool {
        let mut rng = Rng::with_seed(seed);
        let mut files = Files::lay(&self.google, seed, &mut rng);
        rounds::faults(&self.google, &mut rng);
        // The moment is counted in storage calls, so that a slow machine is killed as early as a fast one.
        let calls = self.google.emulator.storage().calls().total();
        let moment = calls + rng.u64(1..2 * files.count() + 2);
        let later = Duration::from_micros(rng.u64(0..4_000));
        let killed = async {
            self.google.called(moment).await;
            tokio::time::sleep(later).await;
        };
        // It goes on until the kill: to drop it would be to cancel the poll.
        let mut poll = Box::pin(self.google.poll(self.address));
        let cut = tokio::select! {
            _ = &mut poll => false,
            () = killed => true,
        };
        if rng.bool() {
            files.upload_one_again(&self.google, &mut rng);
        }
        self.poller.kill();
        drop(poll);
        (self.poller, self.address) = self.google.poller(self.worker, self.processed).await;
        // What the killed poller had sent may make its lease again.
        let lease = || self.google.remove_lease();
        self.google.drain(self.address, &self.poller, lease).await;
        files.check(&self.google);
        cut
    }
}

async fn rounds_of(lane: &mut Lane, seeds: impl Iterator<Item = u64>) -> usize {
    let mut cut = 0;
    for seed in seeds {
        eprintln!("{}: seed {seed}", lane.processed);
        cut += usize::from(lane.round(seed).await);
    }
    cut
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poller_that_is_killed_at_any_moment_loses_nothing_and_doubles_nothing() {
    let rounds = rounds::count();
    let (mut one, mut two) =
        tokio::join!(Lane::start("gs://data/processed/"), Lane::start("gs://elsewhere/processed/"));
    let cut = tokio::join!(
        rounds_of(&mut one, (0..rounds).step_by(2)),
        rounds_of(&mut two, (1..rounds).step_by(2))
    );
    let cut = cut.0 + cut.1;
    println!(
        "{rounds} pollers killed, {cut} of them in the midst of a poll: nothing lost, nothing doubled"
    );
    assert!(2 * cut as u64 >= rounds, "{cut} of {rounds} polls were cut");
}
