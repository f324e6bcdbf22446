//! What a request selects, and what it may not ask for.

use proptest::prelude::*;

use super::{super::listing, *};
use crate::inbox::token;

#[tokio::test(start_paused = true)]
async fn a_request_that_is_not_clear_is_refused_with_its_field() {
    let world = failed(&["a"]).await;
    let request = ReplayObjectsRequest::default;
    let failed = || all(Place::Failed);
    let mut table = Vec::new();
    for request in [
        request(),
        ReplayObjectsRequest { names: vec!["a".into()], ..everything() },
        ReplayObjectsRequest { filter: Some(failed()), ..everything() },
        selecting(ObjectFilter::default()),
        selecting(failed()),
        selecting(all(Place::Processed)),
        selecting(ObjectFilter { prefix: "x".into(), ..all(Place::Inbox) }),
        selecting(ObjectFilter { r#match: "[".into(), ..failed() }),
        named(&["a", ""]),
        named(&["a\nb"]),
        named(&["gs://other/failed/a"]),
        named(&["gs://data/in/a"]),
        named(&["gs://data/.brigade/in/lease"]),
        ReplayObjectsRequest { limit: -1, ..everything() },
        ReplayObjectsRequest { page_token: "x".into(), ..everything() },
        ReplayObjectsRequest {
            page_token: token::encode(&everything(), "no time\nfailed/a"),
            ..everything()
        },
        ReplayObjectsRequest { page_token: token::encode(&named(&["a"]), "x"), ..everything() },
    ] {
        let before = world.sim.calls(Operation::List) + world.sim.calls(Operation::Get);
        let error = world.poller.replay(request.clone()).err();
        table.push(error.unwrap_or_else(|| panic!("{request:?}")).to_string());
        assert_eq!(world.sim.calls(Operation::List) + world.sim.calls(Operation::Get), before);
    }
    insta::assert_snapshot!(table.join("\n"));
    assert_eq!(world.names(), ["failed/a"]);
}

#[tokio::test(start_paused = true)]
async fn nothing_outside_of_the_filter_or_of_the_names_is_moved() {
    let names = ["eu/a.csv", "eu/b.txt", "us/a.csv"];
    let world = failed(&names).await;
    let filter =
        ObjectFilter { prefix: "eu/".into(), r#match: "**/*.csv".into(), ..Default::default() };
    let said = replay(&world.poller, selecting(filter)).await;
    assert_eq!(said.results(), [("eu/a.csv", ReplayResult::Replayed)]);
    assert_eq!(world.names(), ["failed/eu/b.txt", "failed/us/a.csv", "in/eu/a.csv"]);
    let said = replay(&world.poller, named(&["gs://data/failed/us/a.csv", "us/a.csv"])).await;
    let results: Vec<_> = said.objects.iter().map(ReplayedObject::result).collect();
    // Both are one object.
    assert_eq!(
        (said.objects.len(), said.counts().replayed, said.counts().gone),
        (2, 1, 1),
        "{results:?}"
    );
    assert_eq!(world.names(), ["failed/eu/b.txt", "in/eu/a.csv", "in/us/a.csv"]);
}

#[tokio::test(start_paused = true)]
async fn names_may_be_below_the_place_or_whole_and_many() {
    let many: Vec<String> = (0..250).map(|n| format!("x{n:03}")).collect();
    let world = world(Script::default());
    for name in &many {
        world.put(&[&format!("failed/{name}")], "1");
    }
    let mut names = many.clone();
    names[7] = "failed/x007".into();
    names[8] = "gs://data/failed/x008".into();
    let mut request = ReplayObjectsRequest { names, limit: 120, ..Default::default() };
    let mut sizes = Vec::new();
    loop {
        let said = replay(&world.poller, request.clone()).await;
        sizes.push(said.counts().replayed);
        request.page_token = said.token();
        if request.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(sizes, [120, 120, 10]);
    assert!(world.all_in("in/"));
}

#[tokio::test(start_paused = true)]
async fn a_limit_ends_it_with_a_token_that_goes_on() {
    let world = failed(&["a", "b", "c", "d", "e"]).await;
    world.upload(&["a"]);
    let said = replay(&world.poller, ReplayObjectsRequest { limit: 2, ..everything() }).await;
    // A conflict does not count towards the limit.
    assert_eq!(said.counts(), ReplayCounts { replayed: 2, conflicts: 1, ..Default::default() });
    assert_eq!(said.results().len(), 3);
    let next = ReplayObjectsRequest { page_token: said.token(), ..everything() };
    let said = replay(&world.poller, ReplayObjectsRequest { limit: 2, ..next }).await;
    assert_eq!((said.counts().replayed, said.token()), (2, String::new()));
    assert_eq!(world.names(), ["failed/a", "in/a", "in/b", "in/c", "in/d", "in/e"]);
}

#[tokio::test(start_paused = true)]
async fn what_failed_after_the_first_call_began_is_left_out_of_those_that_go_on() {
    let world = failed(&["a", "b"]).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let first = replay(&world.poller, ReplayObjectsRequest { limit: 1, ..everything() }).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let world = failed_in(world, &["z"]).await;
    let next = ReplayObjectsRequest { page_token: first.token(), ..everything() };
    let said = replay(&world.poller, next).await;
    assert_eq!(
        said.started,
        Some(ReplayStarted { filter: Some(all(Place::Failed)), ..first.started.unwrap() })
    );
    assert_eq!(said.results(), [("b", ReplayResult::Replayed)]);
    assert_eq!(world.names(), ["failed/a", "failed/z", "in/b"]);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_moves_nothing_and_says_what_is_held() {
    let world = failed(&["a", "b"]).await;
    world.sim.set_event_based_hold("data", "failed/b", true).unwrap();
    let before = world.sim.history().len();
    let said = replay(&world.poller, ReplayObjectsRequest { dry_run: true, ..everything() }).await;
    assert_eq!(said.results(), [("a", ReplayResult::Planned), ("b", ReplayResult::Held)]);
    assert_eq!(said.counts(), ReplayCounts { replayed: 1, held: 1, ..Default::default() });
    assert_eq!(world.sim.history().len(), before);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_dry_run_is_the_listing_of_the_same_filter(filters in prop::collection::vec(listing::filters(), 20)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let world = listing::five_minutes().await;
            for filter in filters {
                let filter = ObjectFilter { place: Place::Failed.into(), ..filter };
                if filter == all(Place::Failed) {
                    continue;
                }
                let request = ReplayObjectsRequest { dry_run: true, ..selecting(filter.clone()) };
                match (list_in_pieces(&world.poller, &filter, 0).await, world.poller.replay(request)) {
                    (Ok(listed), Ok(replayed)) => {
                        let said = heard(replayed).await;
                        let planned: Vec<_> = said.objects.into_iter().map(|said| said.object.unwrap()).collect();
                        assert_eq!(planned, listed, "{filter:?}");
                    }
                    (Err(one), Err(other)) => assert_eq!(one.to_string(), other.to_string()),
                    (one, other) => panic!("{filter:?}: {one:?}, {:?}", other.err()),
                }
            }
        });
    }
}
