//! What is written on an accepted object beside its move.

use jiff::Timestamp;

use super::*;

impl World {
    /// Writes a mark on the object, as a poll does that leaves it for a later one.
    async fn marked(&self, object: &Object, mark: &Metadata) -> Object {
        self.settler.record(object, mark).await.unwrap().unwrap()
    }

    fn only_marks(&self) -> Vec<String> {
        let objects = self.objects();
        let [object] = &objects[..] else {
            panic!("{objects:?}");
        };
        object.metadata.keys().cloned().collect()
    }
}

const VERDICT: [&str; 3] = [mark::PROCESSED_AT, mark::SOURCE, mark::STATUS];

fn waiting(object: &Object) -> Metadata {
    mark::retry(object, "loading", 2, Timestamp::UNIX_EPOCH)
}

#[tokio::test(start_paused = true)]
async fn an_accepted_object_that_was_asked_to_wait_says_nothing_of_that_any_more() {
    let losses = crate::losses::Losses::default();
    let marks: [fn(&Object) -> Metadata; 2] = [waiting, |object| {
        mark::unread(object, "403", 0, Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH)
    }];
    for mark in marks {
        let (world, object) = world().with_upload();
        let object = world.marked(&object, &mark(&object)).await;
        assert_eq!(world.accept(&object).await, moved("gs://data/processed/a"));
        assert_eq!(world.only_marks(), VERDICT);
        assert_eq!(world.sim.calls(Operation::Update), 2);
    }
    let (world, object) = world().with_upload();
    let object = world.marked(&object, &mark::lost(&object, "reset", 0, &losses, None)).await;
    world.accept(&object).await;
    assert_eq!(world.only_marks(), VERDICT);
}

#[tokio::test(start_paused = true)]
async fn a_try_that_another_poller_notes_meanwhile_does_not_stay_on_an_accepted_object() {
    let (world, object) = world().with_upload();
    world.marked(&object, &waiting(&object)).await;
    // This poller knows the object as it was before.
    assert_eq!(world.accept(&object).await, moved("gs://data/processed/a"));
    assert_eq!(world.only_marks(), VERDICT);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_storage_refused_to_move_has_no_next_try_at_its_destination() {
    let (world, object) = world().with_upload();
    world.settler.defer_move(&object, Some(&[])).await.unwrap();
    let deferred = world.sim.objects("data").remove(0);
    assert!(mark::due(&deferred).is_some());
    let placed = world.settler.complete(&deferred).await.unwrap();
    assert_eq!(placed, moved("gs://data/processed/a"));
    assert_eq!(world.only_marks(), VERDICT);
}

#[tokio::test(start_paused = true)]
async fn marks_that_leave_no_room_for_the_verdict_are_removed_all_the_same() {
    let (world, object) = world().with_upload();
    let notes = "x".repeat(8 * 1_024 - 40);
    world.sim.annotate("data", "in/a", "notes", &notes).unwrap();
    let object = {
        let live = world.sim.objects("data").remove(0);
        let mark = Metadata::from([(mark::ATTEMPTS.to_owned(), "1".to_owned())]);
        assert_eq!(live.generation, object.generation);
        world.marked(&live, &mark).await
    };
    assert_eq!(world.accept(&object).await, moved("gs://data/processed/a"));
    assert_eq!(world.only_marks(), ["notes"]);
}

#[tokio::test(start_paused = true)]
async fn the_output_of_another_worker_is_accepted_by_one_call() {
    let world = world();
    let keys = ["brigade-source", "brigade-key", "brigade-inbox", "brigade-run", "brigade-hops"];
    let new = NewObject {
        content: "1".into(),
        metadata: keys.map(|key| (key.to_owned(), "x".to_owned())).into(),
        ..NewObject::default()
    };
    let object = world.sim.upload_new("data", "in/a", new.clone()).unwrap();
    world.accept(&object).await;
    assert_eq!(world.sim.calls(Operation::Update), 0);
    assert_eq!(world.objects()[0].metadata, new.metadata);
}

#[tokio::test(start_paused = true)]
async fn outputs_are_named_on_an_accepted_object_where_it_gets_a_mark() {
    let outputs = ["gs://out/a b.json".to_owned(), "gs://out/c.json".to_owned()];
    let mut asked = world();
    asked.settler = asked.settler.marking_processed();
    for world in [asked, archive()] {
        let object = world.upload("in/a", "1");
        world.settler.processed(&object, &outputs).await.unwrap();
        let marks = &world.objects()[0].metadata;
        assert_eq!(marks[mark::OUTPUTS], "gs://out/a%20b.json gs://out/c.json");
        assert_eq!(marks[mark::STATUS], "processed");
        assert_eq!(world.sim.calls(Operation::Update), 1);
    }
}

impl Settler {
    /// The same, with `BRIGADE_MARK_PROCESSED`.
    fn marking_processed(self) -> Self {
        let config = Config { mark_processed: true, ..(*self.config).clone() };
        Self { config: Arc::new(config), ..self }
    }
}
