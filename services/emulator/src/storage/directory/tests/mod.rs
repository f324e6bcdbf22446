mod generations;

use std::{
    fmt::Write as _,
    fs,
    os::unix::{ffi::OsStrExt as _, fs::symlink},
    time::{Duration, UNIX_EPOCH},
};

use bytes::Bytes;
use jiff::Timestamp;
use tempfile::TempDir;

use super::*;
use brigade_model::{Conditions, Edit, Memory, Model, Move, Query, Upload};

const BUCKET: &str = "some-bucket";
const ANY: Conditions = Conditions {
    generation_match: None,
    generation_not_match: None,
    metageneration_match: None,
    metageneration_not_match: None,
};

fn model(root: &TempDir) -> Model {
    let mut model = Model::default();
    let directory = Directory::open(BUCKET, root.path()).unwrap();
    model.add_bucket(BUCKET, Box::new(directory)).unwrap();
    model
}

fn drop_file(root: &TempDir, name: &str, content: &str, mtime: i64) {
    let path = root.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, content).unwrap();
    let since = Duration::from_micros(mtime.try_into().unwrap());
    fs::File::open(&path).unwrap().set_modified(UNIX_EPOCH + since).unwrap();
}

fn put(model: &mut Model, name: &str, content: &str) -> Result<Object> {
    let upload = Upload::new(content.to_owned(), Attributes::default());
    model.insert(BUCKET, name, upload, &ANY)
}

fn read(model: &mut Model, name: &str) -> Bytes {
    model.read(BUCKET, name, None, &ANY, None).unwrap().2.into_bytes().unwrap()
}

fn mark(model: &mut Model, name: &str) -> Object {
    let edit = Edit::new(|to| {
        to.metadata.insert("key".into(), "value".into());
    });
    model.update(BUCKET, name, None, &ANY, edit).unwrap()
}

fn rename(model: &mut Model, from: &str, to: &str) -> Result<Object> {
    model.rename(&Move {
        bucket: BUCKET.into(),
        source: from.into(),
        destination: to.into(),
        conditions: Conditions { generation_match: Some(0), ..ANY },
        ..Move::default()
    })
}

fn names(model: &mut Model) -> Vec<String> {
    let page = model.list(BUCKET, &Query::default()).unwrap();
    page.objects.into_iter().map(|object| object.name).collect()
}

#[test]
fn a_dropped_file_is_an_object_of_its_mtimes_generation() {
    let root = TempDir::new().unwrap();
    let mut model = model(&root);
    drop_file(&root, "incoming/a.csv", "day\n", 1_700_000_000_123_456);
    let object = model.get(BUCKET, "incoming/a.csv", None, &ANY).unwrap();
    assert_eq!(
        (object.generation, object.metageneration, object.size),
        (1_700_000_000_123_456, 1, 4)
    );
    assert_eq!(object.digest(), brigade_model::Digest::new(b"day\n"));
    assert_eq!(object.created(), "2023-11-14T22:13:20.123456Z".parse::<Timestamp>().unwrap());
    assert_eq!(read(&mut model, "incoming/a.csv"), "day\n");
}

#[test]
fn a_file_changed_by_hand_is_a_new_generation_with_fresh_metadata() {
    let root = TempDir::new().unwrap();
    let mut model = model(&root);
    let before = put(&mut model, "a", "one").unwrap();
    mark(&mut model, "a");
    drop_file(&root, "a", "two", before.generation + 5_000);
    let object = model.get(BUCKET, "a", None, &ANY).unwrap();
    assert_eq!((object.generation, object.metageneration), (before.generation + 5_000, 1));
    assert!(object.attributes.metadata.is_empty());
    assert_eq!(object.digest(), brigade_model::Digest::new(b"two"));
    let stale = model.get(BUCKET, "a", Some(before.generation), &ANY).unwrap_err();
    assert_eq!(stale.kind, Kind::NoObject);
}

#[test]
fn a_write_sets_the_mtime_and_metadata_survives_a_restart_and_a_move() {
    let root = TempDir::new().unwrap();
    let written = put(&mut model(&root), "in/a", "one").unwrap();
    let seen = Seen::at(&root.path().join("in/a")).unwrap();
    assert_eq!(seen.mtime, written.generation);
    let marked = mark(&mut model(&root), "in/a");
    assert_eq!((marked.generation, marked.metageneration), (written.generation, 2));

    let mut model = model(&root);
    assert_eq!(model.get(BUCKET, "in/a", None, &ANY).unwrap().updated, truncated(marked.updated));
    let moved = rename(&mut model, "in/a", "done/2026/a").unwrap();
    assert!(moved.generation > marked.generation);
    let found = model.get(BUCKET, "done/2026/a", None, &ANY).unwrap();
    assert_eq!(found.attributes.metadata["key"], "value");
    assert_eq!((found.generation, found.metageneration), (moved.generation, 1));
    assert_eq!(fs::read(root.path().join("done/2026/a")).unwrap(), b"one");
}

/// Notes keep microseconds.
fn truncated(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).unwrap()
}

#[test]
fn generations_of_a_name_increase_even_over_a_file_from_the_future() {
    let root = TempDir::new().unwrap();
    let mut model = model(&root);
    let future = Timestamp::now().as_microsecond() + 86_400_000_000;
    drop_file(&root, "a", "one", future);
    assert!(put(&mut model, "a", "two").unwrap().generation > future);
    drop_file(&root, "old", "one", 0);
    let old = model.get(BUCKET, "old", None, &ANY).unwrap();
    assert_eq!(old.generation, 1, "a generation of 0 would mean that there is none");
    assert_eq!(put(&mut model, "old", "two").unwrap().size, 3);
}

#[test]
fn what_was_dropped_meanwhile_is_neither_replaced_nor_moved_nor_deleted() {
    let root = TempDir::new().unwrap();
    let mut directory = Directory::open(BUCKET, root.path()).unwrap();
    drop_file(&root, "a", "one", 1_000_000);
    let known = directory.look("a").unwrap().unwrap();
    drop_file(&root, "a", "two", 2_000_000);
    let new = |name: &str| Object::new(name, 3_000_000, known.digest(), Attributes::default());
    let refusals = [
        directory.write(&new("a"), Content::default(), None),
        directory.write(&new("a"), Content::default(), Some(&known)),
        directory.rename(&known, &new("b"), None),
        directory.remove(&known),
        directory.annotate(&known),
        directory.read(&known, 0..3).map(|_| ()),
    ];
    let refusals = refusals.map(Result::unwrap_err);
    assert!(refusals.iter().all(|refused| refused.kind == Kind::Precondition));
    let calls = ["write a new one", "replace", "rename", "remove", "annotate", "read"];
    let table = calls.iter().zip(&refusals).map(|(call, refused)| format!("{call}: {refused}\n"));
    insta::assert_snapshot!("changed_by_hand", table.collect::<String>());
    drop_file(&root, "c", "three", 1_000_000);
    let newest = directory.look("a").unwrap().unwrap();
    let onto_taken = directory.rename(&newest, &new("c"), None).unwrap_err();
    assert_eq!(onto_taken.kind, Kind::Precondition);
    assert_eq!(fs::read(root.path().join("a")).unwrap(), b"two");
    assert_eq!(fs::read(root.path().join("c")).unwrap(), b"three");
}

#[test]
fn a_write_that_fails_leaves_the_live_object_its_metadata() {
    let root = TempDir::new().unwrap();
    let mut model = model(&root);
    put(&mut model, "a", "one").unwrap();
    let marked = mark(&mut model, "a");
    let mut directory = Directory::open(BUCKET, root.path()).unwrap();
    let mut other = Object::new("a", 1, marked.digest(), Attributes::default());
    other.attributes.content_type = "text/csv".into();
    directory.write(&other, Content::default(), None).unwrap_err();
    drop_file(&root, "b", "two", 1_000_000);
    let source = directory.look("b").unwrap().unwrap();
    directory.rename(&source, &other, None).unwrap_err();
    let found = model.get(BUCKET, "a", None, &ANY).unwrap();
    assert_eq!(found.attributes, marked.attributes);
    assert_eq!(
        fs::read_dir(root.path().join(HIDDEN)).unwrap().count(),
        1,
        "no notes are left of what failed"
    );
    put(&mut model, "a", "three").unwrap();
    assert_eq!(
        fs::read_dir(root.path().join(HIDDEN)).unwrap().count(),
        0,
        "nor of what was replaced"
    );
}

#[test]
fn names_that_no_path_can_have_are_refused_to_writers_and_missing_to_readers() {
    let root = TempDir::new().unwrap();
    let mut model = model(&root);
    put(&mut model, "file", "").unwrap();
    put(&mut model, "dir/file", "").unwrap();
    let long = "x".repeat(256);
    let mut messages = String::new();
    for name in [
        "a/../b",
        "a//b",
        "/a",
        "a/",
        "./a",
        &long,
        "x\0",
        ".brigade-emulator/a",
        "file/below",
        "dir",
    ] {
        let refused = put(&mut model, name, "1").unwrap_err();
        assert_eq!(refused.kind, Kind::Invalid, "{name:?}");
        writeln!(messages, "{refused}").unwrap();
        assert_eq!(rename(&mut model, "file", name).unwrap_err().kind, Kind::Invalid, "{name:?}");
        assert_eq!(
            model.get(BUCKET, name, None, &ANY).unwrap_err().kind,
            Kind::NoObject,
            "{name:?}"
        );
    }
    assert_eq!(names(&mut model), ["dir/file", "file"]);
    insta::assert_snapshot!(messages.replace(&long, "xxx…"));
}

#[test]
fn links_are_followed_neither_by_listings_nor_by_writes() {
    let root = TempDir::new().unwrap();
    let outside = TempDir::new().unwrap();
    fs::write(outside.path().join("secret"), "s").unwrap();
    let mut model = model(&root);
    symlink(outside.path(), root.path().join("dir")).unwrap();
    symlink(outside.path().join("secret"), root.path().join("file")).unwrap();
    put(&mut model, "real", "").unwrap();
    assert_eq!(names(&mut model), ["real"]);
    for name in ["dir/secret", "file"] {
        assert_eq!(model.get(BUCKET, name, None, &ANY).unwrap_err().kind, Kind::NoObject, "{name}");
        assert_eq!(put(&mut model, name, "x").unwrap_err().kind, Kind::Invalid, "{name}");
        assert_eq!(rename(&mut model, "real", name).unwrap_err().kind, Kind::Invalid, "{name}");
    }
    assert_eq!(fs::read(outside.path().join("secret")).unwrap(), b"s");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
}

#[test]
fn files_that_no_object_can_be_are_skipped() {
    let root = TempDir::new().unwrap();
    let mut model = model(&root);
    fs::write(root.path().join(std::ffi::OsStr::from_bytes(b"\xff")), "").unwrap();
    fs::write(root.path().join("a\nb"), "").unwrap();
    fs::write(root.path().join("fine"), "").unwrap();
    assert_eq!(names(&mut model), ["fine"]);
}

#[test]
fn subfolders_go_with_their_last_object_and_top_folders_stay() {
    let root = TempDir::new().unwrap();
    let mut model = model(&root);
    put(&mut model, "incoming/x/y/a", "").unwrap();
    put(&mut model, "incoming/b", "").unwrap();
    rename(&mut model, "incoming/x/y/a", "processed/x/y/a").unwrap();
    model.delete(BUCKET, "incoming/b", None, &ANY).unwrap();
    assert!(root.path().join("incoming").is_dir());
    assert!(!root.path().join("incoming/x").exists());
    assert_eq!(names(&mut model), ["processed/x/y/a"]);
}

#[test]
fn a_listing_of_a_directory_is_that_of_memory() {
    let root = TempDir::new().unwrap();
    let mut on_disk = model(&root);
    let mut in_memory = Model::default();
    in_memory.add_bucket(BUCKET, Box::new(Memory::default())).unwrap();
    // Neighbours of the slash in the order of bytes, at several depths.
    let parts = ["a", "a-", "a.b", "a0", "b", "é"];
    for first in parts {
        put(&mut on_disk, &format!("{first}!"), "").unwrap();
        put(&mut in_memory, &format!("{first}!"), "").unwrap();
        for second in parts {
            for name in [format!("{first}/{second}"), format!("{first}/{second}!/{first}")] {
                put(&mut on_disk, &name, "").unwrap();
                put(&mut in_memory, &name, "").unwrap();
            }
        }
    }
    for prefix in ["", "a", "a/", "a/a", "a./", "b/é!/", "zz"] {
        for delimiter in ["", "/", "!"] {
            for page_size in [1, 2, 7, 1_000] {
                let query = Query {
                    prefix: prefix.into(),
                    delimiter: delimiter.into(),
                    page_size,
                    ..Query::default()
                };
                assert_eq!(pages(&mut on_disk, &query), pages(&mut in_memory, &query), "{query:?}");
            }
        }
    }
}

fn pages(model: &mut Model, query: &Query) -> Vec<String> {
    let mut query = query.clone();
    let mut lines = Vec::new();
    loop {
        let page = model.list(BUCKET, &query).unwrap();
        let objects = page.objects.into_iter().map(|object| object.name);
        lines.push(format!("{:?} {:?}", objects.collect::<Vec<_>>(), page.prefixes));
        if page.next.is_empty() {
            return lines;
        }
        query.page_token = page.next;
    }
}

#[test]
fn a_directory_that_cannot_be_a_bucket_says_why() {
    let root = TempDir::new().unwrap();
    let file = root.path().join("file");
    fs::write(&file, "").unwrap();
    let blocked = root.path().join("blocked");
    fs::create_dir(&blocked).unwrap();
    fs::write(blocked.join(HIDDEN), "").unwrap();
    let mut table = String::new();
    for path in [file.clone(), file.join("below"), blocked] {
        let error = Directory::open(BUCKET, &path).unwrap_err();
        writeln!(table, "{error}").unwrap();
    }
    insta::assert_snapshot!(table.replace(&root.path().display().to_string(), "ROOT"));
}

#[test]
fn a_missing_directory_is_made_and_leaves_nothing_behind() {
    let root = TempDir::new().unwrap();
    let path = root.path().join("new/data");
    Directory::open(BUCKET, &path).unwrap();
    assert_eq!(fs::read_dir(path.join(HIDDEN)).unwrap().count(), 0);
}
