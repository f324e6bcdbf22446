//! The generations of a name rise, whatever its file's mtime says.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

/// 2023, and earlier.
const NEW: i64 = 1_700_000_000_000_000;
const OLD: i64 = 1_600_000_000_000_000;

fn generation(model: &mut Model, name: &str) -> i64 {
    model.get(BUCKET, name, None, &ANY).unwrap().generation
}

fn notes(root: &TempDir) -> usize {
    fs::read_dir(root.path().join(HIDDEN)).unwrap().count()
}

#[test]
fn a_file_that_replaces_a_newer_one_is_of_the_next_generation() {
    let root = TempDir::new().unwrap();
    let mut model = model(&root);
    drop_file(&root, "a", "new", NEW);
    assert_eq!(generation(&mut model, "a"), NEW);
    // In place, as `cp -p` does, and by a rename, as `rsync -t` does.
    drop_file(&root, "a", "older", OLD);
    assert_eq!(generation(&mut model, "a"), NEW + 1);
    drop_file(&root, "b", "oldest", OLD - 1);
    fs::rename(root.path().join("b"), root.path().join("a")).unwrap();
    assert_eq!(generation(&mut model, "a"), NEW + 2);
    assert_eq!(read(&mut model, "a"), "oldest");
    let stale = model.get(BUCKET, "a", Some(OLD - 1), &ANY).unwrap_err();
    assert_eq!(stale.kind, Kind::NoObject);
    let mtime = Seen::at(&root.path().join("a")).unwrap().mtime;
    assert_eq!(mtime, OLD - 1, "the user's file keeps its mtime");
}

#[test]
fn a_content_that_was_changed_under_a_kept_mtime_is_another_generation() {
    let root = TempDir::new().unwrap();
    let mut model = model(&root);
    drop_file(&root, "a", "one", NEW);
    assert_eq!(generation(&mut model, "a"), NEW);
    drop_file(&root, "a", "two", NEW);
    assert_eq!(generation(&mut model, "a"), NEW + 1);
    // The same bytes, and other rights, are the same object.
    let changed = fs::Permissions::from_mode(0o600);
    fs::set_permissions(root.path().join("a"), changed).unwrap();
    assert_eq!(generation(&mut model, "a"), NEW + 1);
}

#[test]
fn a_name_that_was_deleted_does_not_get_its_generation_again() {
    let root = TempDir::new().unwrap();
    let mut model = model(&root);
    for (name, by_hand) in [("call", false), ("hand", true)] {
        drop_file(&root, name, "x", NEW);
        assert_eq!(generation(&mut model, name), NEW);
        if by_hand {
            fs::remove_file(root.path().join(name)).unwrap();
            model.get(BUCKET, name, None, &ANY).unwrap_err();
        } else {
            model.delete(BUCKET, name, None, &ANY).unwrap();
        }
        drop_file(&root, name, "x", NEW);
        assert_eq!(generation(&mut model, name), NEW + 1, "{name}");
    }
    drop_file(&root, "in/a", "x", NEW);
    rename(&mut model, "in/a", "out/a").unwrap();
    drop_file(&root, "in/a", "x", NEW);
    assert_eq!(generation(&mut model, "in/a"), NEW + 1);
}

#[test]
fn an_upload_over_a_deleted_file_from_the_future_is_later_than_it() {
    let root = TempDir::new().unwrap();
    let mut model = model(&root);
    let future = Timestamp::now().as_microsecond() + 86_400_000_000;
    drop_file(&root, "a", "one", future);
    assert_eq!(generation(&mut model, "a"), future);
    fs::remove_file(root.path().join("a")).unwrap();
    assert!(put(&mut model, "a", "two").unwrap().generation > future);
}

#[test]
fn a_generation_that_no_mtime_says_survives_a_restart_with_its_metadata() {
    let root = TempDir::new().unwrap();
    let mut first = model(&root);
    drop_file(&root, "a", "new", NEW);
    drop_file(&root, "b", "new", NEW);
    assert_eq!(names(&mut first), ["a", "b"]);
    drop_file(&root, "a", "older", OLD);
    drop_file(&root, "b", "older", OLD);
    assert_eq!(generation(&mut first, "a"), NEW + 1);
    let marked = mark(&mut first, "b");
    assert_eq!((marked.generation, marked.metageneration), (NEW + 1, 2));

    let mut second = model(&root);
    assert_eq!(generation(&mut second, "a"), NEW + 1);
    let found = second.get(BUCKET, "b", None, &ANY).unwrap();
    assert_eq!((found.generation, found.metageneration), (NEW + 1, 2));
    assert_eq!(found.attributes, marked.attributes);
    let moved = rename(&mut second, "b", "c").unwrap();
    assert_eq!(moved.attributes, marked.attributes);
    second.delete(BUCKET, "a", None, &ANY).unwrap();
    assert_eq!(notes(&root), 1, "those on c");
}

#[test]
fn a_file_that_replaced_one_with_metadata_while_no_emulator_ran_is_of_the_next_generation() {
    let root = TempDir::new().unwrap();
    let mut first = model(&root);
    drop_file(&root, "a", "new", NEW);
    mark(&mut first, "a");
    drop(first);
    drop_file(&root, "a", "older", OLD);
    let mut second = model(&root);
    let found = second.get(BUCKET, "a", None, &ANY).unwrap();
    assert_eq!((found.generation, found.metageneration), (NEW + 1, 1));
}

#[test]
fn notes_that_a_killed_write_left_take_no_metadata_from_the_object_that_is_there() {
    let root = TempDir::new().unwrap();
    drop_file(&root, "a", "one", NEW);
    let marked = mark(&mut model(&root), "a");
    let mut orphan = marked.clone();
    orphan.generation = NEW + 1_000;
    sidecar::write(&root.path().join(HIDDEN), &orphan, None).unwrap();
    let mut model = model(&root);
    let found = model.get(BUCKET, "a", None, &ANY).unwrap();
    assert_eq!((found.generation, found.attributes), (NEW, marked.attributes));
}
