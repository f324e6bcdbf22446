//! What a look tells after an error that leaves it open whether a move was applied.

use super::*;

/// A move that was not applied, and whose answer leaves that open.
fn open(world: &World) {
    world.fail(Operation::Move, Kind::Unknown);
}

/// A person deletes the object, and no answer tells that it was not moved.
async fn superseded_when_deleted(world: &World, object: &Object) {
    open(world);
    world.sim.remove("data", "in/a").unwrap();
    let placed = world.settler.processed(object, &[]).await.unwrap();
    assert_eq!(placed, Placement::Superseded);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_a_person_deleted_meanwhile_is_superseded_and_not_taken_for_moved() {
    let (world, object) = world().with_upload();
    superseded_when_deleted(&world, &object).await;
}

#[tokio::test(start_paused = true)]
async fn what_lay_at_the_destination_before_is_not_taken_for_the_object() {
    let world = world();
    // The same content, but older than the object.
    world.upload("processed/a", "1");
    tokio::time::advance(Duration::from_secs(1)).await;
    let object = world.upload("in/a", "1");
    superseded_when_deleted(&world, &object).await;
}

#[tokio::test(start_paused = true)]
async fn what_lay_at_the_destination_before_the_object_was_marked_is_not_taken_for_it() {
    let (world, object) = world().with_upload();
    let mark = mark::retry(&object, "", 0, jiff::Timestamp::UNIX_EPOCH);
    let beside = NewObject { content: "1".into(), ..NewObject::default() };
    tokio::time::advance(Duration::from_secs(1)).await;
    world.sim.upload_new("data", "processed/a", beside).unwrap();
    tokio::time::advance(Duration::from_secs(1)).await;
    let object = world.settler.record(&object, &mark).await.unwrap().unwrap();
    superseded_when_deleted(&world, &object).await;
}

#[tokio::test(start_paused = true)]
async fn another_content_at_the_destination_is_not_taken_for_the_object() {
    let (world, object) = world().with_upload();
    world.upload("processed/a", "something else");
    superseded_when_deleted(&world, &object).await;
}

#[tokio::test(start_paused = true)]
async fn a_file_that_was_failed_and_moved_back_and_accepted_is_not_taken_for_this_move() {
    let (world, object) = world().with_upload();
    world.settler.failed(&object, &because("no"), 1).await.unwrap();
    let back = world.sim.carry(("data", "failed/a"), ("data", "in/a"));
    world.settler.processed(&back.unwrap(), &[]).await.unwrap();
    assert_eq!(world.names("data"), ["processed/a"]);
    // A poller that stood still all the while, with the object as it was at first.
    open(&world);
    assert_eq!(world.accept(&object).await, Placement::Superseded);
}

#[tokio::test(start_paused = true)]
async fn a_look_that_is_forbidden_is_an_error_and_tells_nothing() {
    let (world, object) = world().with_upload();
    open(&world);
    world.fail(Operation::Get, Kind::PermissionDenied);
    let error = world.settler.processed(&object, &[]).await.unwrap_err();
    assert!(error.needs_fix(), "{error}");
    assert_eq!(world.names("data"), ["in/a"]);
}
