//! One object, by its name.

use brigade_proto::v1::{GetObjectRequest, GetObjectResponse, ProcessResponse};

use super::*;
use crate::inbox::look::look;

async fn find(
    poller: &Poller,
    name: &str,
    place: Place,
) -> Result<Option<GetObjectResponse>, PollError> {
    let request = GetObjectRequest { name: name.to_owned(), place: place.into() };
    look(&poller.instance, &request).await
}

#[tokio::test(start_paused = true)]
async fn an_object_is_found_by_its_path_its_name_and_its_uri() {
    let world = answering([("bad.csv", Answer::status(Code::InvalidArgument, "no day"))]);
    world.upload(&["day/bad.csv", "good.csv"]);
    world.poll_all().await;
    for name in ["day/bad.csv", "failed/day/bad.csv", "gs://data/failed/day/bad.csv"] {
        let found = find(&world.poller, name, Place::Unspecified).await.unwrap().unwrap();
        let object = found.object.unwrap();
        assert_eq!((object.place(), &*object.reason), (Place::Failed, "no day"), "{name}");
        assert_eq!(found.log_filter, "jsonPayload.object=\"gs://data/in/day/bad.csv\"");
    }
    let found = find(&world.poller, "good.csv", Place::Unspecified).await.unwrap().unwrap();
    assert_eq!(found.object.unwrap().place(), Place::Processed);
    assert_eq!(find(&world.poller, "good.csv", Place::Failed).await.unwrap(), None);
    assert_eq!(find(&world.poller, "none.csv", Place::Unspecified).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn an_upload_of_the_same_name_is_shown_beside_the_failed_object() {
    let world = answering([("bad.csv", Answer::status(Code::InvalidArgument, "no day"))]);
    world.upload(&["bad.csv"]);
    world.poll_all().await;
    world.upload(&["bad.csv"]);
    let found = find(&world.poller, "bad.csv", Place::Unspecified).await.unwrap().unwrap();
    assert_eq!(found.object.unwrap().place(), Place::Failed);
    let others: Vec<_> = found.others.iter().map(InboxObject::place).collect();
    assert_eq!(others, [Place::Inbox]);
}

#[tokio::test(start_paused = true)]
async fn a_name_outside_of_the_three_places_is_refused_without_a_look() {
    let world = world(Script::default());
    let mut table = Vec::new();
    for (name, place) in [
        ("gs://other/in/a", Place::Unspecified),
        ("gs://data/elsewhere/a", Place::Unspecified),
        ("gs://data/.brigade/in/lease", Place::Unspecified),
        ("gs://data/in/a", Place::Failed),
        ("", Place::Unspecified),
        ("gs://data/", Place::Unspecified),
        ("a\nb", Place::Unspecified),
    ] {
        table.push(find(&world.poller, name, place).await.unwrap_err().to_string());
    }
    assert_eq!(world.sim.calls(Operation::Get), 0);
    insta::assert_snapshot!(table.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn outputs_are_looked_at_and_one_that_is_gone_says_so() {
    let outputs =
        ["gs://data/out/there.json", "gs://data/out/gone.json", "gs://archive/x", "https://x"];
    let response =
        ProcessResponse { outputs: outputs.map(str::to_owned).into(), ..Default::default() };
    let script = Script { otherwise: Some(Answer::ok(response)), ..Script::default() };
    let world = world_with(script, "in/", |config| config.mark_processed = true);
    world.put(&["out/there.json"], "{}");
    world.sim.upload("archive", "x", "1").unwrap();
    world.upload(&["a.csv"]);
    world.poll_all().await;
    let found = async |poller: &Poller| {
        let found = find(poller, "a.csv", Place::Unspecified).await.unwrap().unwrap();
        let seen = found.outputs.into_iter().map(|output| (output.object.is_some(), output.error));
        seen.collect::<Vec<_>>()
    };
    let known = |other: &str, is_there| {
        [
            (true, String::new()),
            (false, String::new()),
            (is_there, other.to_owned()),
            (false, "it is no gs:// URI".to_owned()),
        ]
    };
    let alone = known("this poller opens no other buckets", false);
    assert_eq!(found(&world.poller).await, alone);
    let poller = world.poller.clone().store(Arc::new(world.sim.clone()));
    assert_eq!(found(&poller).await, known("", true));
}
