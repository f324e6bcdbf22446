//! How a replay ends before its end, and goes on.

use super::*;

/// Each move takes two seconds.
fn slow(world: &World) {
    world.sim.set_faults(|call: &brigade_sim::Call| {
        (call.operation == Operation::Move).then_some(Fault::Delay(Duration::from_secs(2)))
    });
}

fn many(count: usize) -> World {
    let world = world(Script::default());
    for number in 0..count {
        world.put(&[&format!("failed/x{number:03}")], "1");
    }
    world
}

fn moved(world: &World) -> usize {
    world.names().iter().filter(|name| name.starts_with("in/")).count()
}

#[tokio::test(start_paused = true)]
async fn progress_comes_each_second_with_a_token_of_what_is_done() {
    let world = many(100);
    slow(&world);
    let began = tokio::time::Instant::now();
    let said = replay(&world.poller, everything()).await;
    let seconds = began.elapsed().as_secs();
    assert!((14..20).contains(&seconds), "16 at once: {seconds}");
    assert!(said.progress.len() as u64 >= seconds - 1, "{} in {seconds}", said.progress.len());
    assert!(said.progress.iter().all(|progress| !progress.next_page_token.is_empty()));
    let half = &said.progress[said.progress.len() / 2];
    assert!(half.counts.unwrap().replayed > 16 && half.scanned == 100, "{half:?}");
    // From there on nothing of what has a result is met again.
    let world = many(100);
    let page_token = half.next_page_token.clone();
    let rest = replay(&world.poller, ReplayObjectsRequest { page_token, ..everything() }).await;
    assert_eq!(rest.counts().replayed, 100 - half.counts.unwrap().replayed);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_ends_it_after_the_moves_that_have_begun() {
    let world = many(100);
    slow(&world);
    let mut stream = Box::pin(world.poller.replay(everything()).unwrap());
    stream.next().await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    drop(stream);
    world.poller.drained().await;
    assert_eq!(moved(&world), 16);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_reads_slowly_slows_it_down_and_holds_no_move_half_way() {
    let world = many(300);
    let stream = world.poller.replay(everything()).unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let before = moved(&world);
    assert!((64..64 + 40).contains(&before), "{before}");
    assert_eq!(heard(stream).await.counts().replayed, 300);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_it_with_a_token_and_another_instance_goes_on() {
    for after in [0, 3] {
        let world = many(100);
        slow(&world);
        if after == 0 {
            world.shutdown.cancel();
        }
        let ended = async {
            tokio::time::sleep(Duration::from_secs(after)).await;
            world.shutdown.cancel();
        };
        let (said, ()) = tokio::join!(replay(&world.poller, everything()), ended);
        let replayed = said.counts().replayed;
        assert_eq!(replayed, if after == 0 { 0 } else { 32 });
        world.sim.clear_faults();
        let poller = Poller::new(world::config("in/"), &world.sim, world.worker.clone())
            .clock(Arc::new(world::SimTime(world.sim.clone())));
        let next = ReplayObjectsRequest { page_token: said.token(), ..everything() };
        let said = replay(&poller, next).await;
        assert_eq!(said.counts().replayed, 100 - replayed);
        assert!(moves_in(&world.sim).iter().all(|(_, moves)| *moves == 1));
    }
}
