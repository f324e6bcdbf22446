//! With times in the past in place of waiting: nothing here depends on how fast the machine is.

use std::{
    fs::{self, File},
    io::Write as _,
    time::{Duration, SystemTime},
};

use tempfile::TempDir;

use super::super::{Attributes, Backend as _, Content, Directory, Object};

/// So long that no test's own file has rested.
const LONG: Duration = Duration::from_secs(1_000);

fn open(root: &TempDir) -> Directory {
    Directory::open("some-bucket", root.path()).unwrap().watched(Some(LONG))
}

fn age(file: &File, by: Duration) {
    file.set_modified(SystemTime::now() - by).unwrap();
}

fn is_object(directory: &mut Directory, name: &str) -> bool {
    directory.look(name).unwrap().is_some()
}

fn waiting(directory: &mut Directory) -> Vec<(String, bool)> {
    let files = directory.being_written("").into_iter();
    files.map(|file| (file.name, file.has_rested)).collect()
}

#[test]
fn a_file_is_an_object_when_it_has_rested_and_no_program_has_it_open_for_writing() {
    let root = TempDir::new().unwrap();
    let mut directory = open(&root);
    let mut file = File::create(root.path().join("a")).unwrap();
    file.write_all(b"one").unwrap();
    assert!(!is_object(&mut directory, "a"), "it has just changed");
    age(&file, LONG * 2);
    assert!(!is_object(&mut directory, "a"), "this process has it open");
    assert_eq!(waiting(&mut directory), [("a".to_owned(), false)]);
    drop(file);
    let reader = File::open(root.path().join("a")).unwrap();
    assert!(is_object(&mut directory, "a"), "who reads it does not change it");
    assert_eq!(waiting(&mut directory), []);
    drop(reader);
}

#[test]
fn a_file_that_was_open_before_the_start_is_seen_to_be_written() {
    let root = TempDir::new().unwrap();
    let file = File::create(root.path().join("a")).unwrap();
    age(&file, LONG * 2);
    let mut directory = open(&root);
    directory.watch.as_mut().unwrap().events = None;
    assert!(!is_object(&mut directory, "a"));
    drop(file);
    // What was seen of its writers is as old as half of the rest at most.
    directory.watch.as_mut().unwrap().writers = super::Writers::open(&directory.root);
    assert!(is_object(&mut directory, "a"));
}

#[test]
fn writers_that_proc_does_not_show_are_seen_by_their_events() {
    let root = TempDir::new().unwrap();
    let mut directory = open(&root);
    directory.watch.as_mut().unwrap().writers = None;
    fs::create_dir(root.path().join("new")).unwrap();
    assert_eq!(directory.names("", "", 9).unwrap(), [""; 0]);
    let mut file = File::create(root.path().join("new/a")).unwrap();
    file.write_all(b"one").unwrap();
    age(&file, LONG * 2);
    assert!(!is_object(&mut directory, "new/a"));
    fs::rename(root.path().join("new/a"), root.path().join("new/b")).unwrap();
    assert!(!is_object(&mut directory, "new/b"), "it is still open");
    drop(file);
    assert!(is_object(&mut directory, "new/b"));
}

#[test]
fn a_file_that_is_renamed_into_place_is_an_object_at_once() {
    let (root, outside) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let mut directory = open(&root);
    for name in ["a", "b"] {
        fs::write(outside.path().join(name), "one").unwrap();
        fs::rename(outside.path().join(name), root.path().join(name)).unwrap();
    }
    assert!(is_object(&mut directory, "a"));
    let mut file = File::options().append(true).open(root.path().join("b")).unwrap();
    file.write_all(b"two").unwrap();
    drop(file);
    assert!(!is_object(&mut directory, "b"), "it was changed since");
}

#[test]
fn what_an_emulator_writes_is_an_object_at_once_and_another_programs_change_is_not() {
    let root = TempDir::new().unwrap();
    let mut directory = open(&root);
    let generation = i64::try_from(
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_micros(),
    );
    let digest = brigade_model::Digest::new(b"one");
    for name in ["a", "a.part"] {
        let object = Object::new(name, generation.unwrap(), digest, Attributes::default());
        directory.write(&object, Content::Bytes("one".into()), None).unwrap();
        assert!(is_object(&mut directory, name));
    }
    fs::write(root.path().join("a"), "by hand").unwrap();
    assert!(!is_object(&mut directory, "a"));
    assert!(is_object(&mut open(&root), "a.part"), "it was uploaded under this name");
}

#[test]
fn leases_of_another_emulator_and_files_from_the_future_are_read() {
    let root = TempDir::new().unwrap();
    let mut directory = open(&root);
    fs::create_dir(root.path().join(".brigade")).unwrap();
    fs::write(root.path().join(".brigade/lease"), "{}").unwrap();
    assert!(is_object(&mut directory, ".brigade/lease"));

    let mut directory =
        Directory::open("some-bucket", root.path()).unwrap().watched(Some(Duration::ZERO));
    let file = File::create(root.path().join("a")).unwrap();
    file.set_modified(SystemTime::now() + LONG).unwrap();
    assert!(is_object(&mut directory, "a"), "no rest is asked for");
}

#[test]
fn droppings_are_left_alone_however_long_they_rest() {
    let root = TempDir::new().unwrap();
    let mut directory = open(&root);
    for name in [".DS_Store", "a.csv~", "a.csv"] {
        age(&File::create(root.path().join(name)).unwrap(), LONG * 2);
    }
    let found: Vec<_> =
        [".DS_Store", "a.csv~", "a.csv"].map(|name| is_object(&mut directory, name)).into();
    assert_eq!(found, [false, false, true]);
    assert_eq!(waiting(&mut directory), []);
}
