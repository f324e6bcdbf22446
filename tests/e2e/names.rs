//! Odd names and long ones, byte for byte from the listing through the worker to their destination, and on one harmless
//! line in the log, all over real sockets.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use brigade_emulator::Emulator;
use brigade_runtime::telemetry::{self, Buffer, Format};
use brigade_storage::{NewObject, Store as _, object::escape};
use brigade_worker::{Outcome, ProcessError};
use percent_encoding::percent_decode_str;

use crate::{
    harness::{BUCKET, System, connect, loopback, scripted},
    odd::ODD,
};

/// Names of exactly so many bytes, of characters of one to four.
fn long(bytes: usize) -> impl Iterator<Item = String> {
    ["x", "é", "日", "\u{1f600}"].into_iter().map(move |filler| {
        let mut name = filler.repeat(bytes / filler.len());
        name.extend(std::iter::repeat_n('.', bytes - name.len()));
        name
    })
}

/// No line of a log acts on what shows it.
fn harmless(log: &str) {
    let acts = |c: &char| {
        let turns = matches!(c, '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
        turns || (c.is_control() && *c != '\n')
    };
    assert_eq!(log.chars().find(acts), None, "{log:?}");
}

/// The log has one harmless line about the settlement of each of these URIs.
pub(crate) fn check_log(log: &str, uris: impl Iterator<Item = String>) {
    harmless(log);
    let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
    let settled = lines.filter(|line: &serde_json::Value| line["message"] == "object settled");
    let mut settled: Vec<_> =
        settled.map(|line| line["object"].as_str().unwrap().to_owned()).collect();
    settled.sort();
    let mut escaped: Vec<_> = uris.map(|uri| logged(&uri)).collect();
    escaped.sort();
    assert_eq!(settled, escaped);
}

/// A name as a log line shows it: escaped, but for the backslash.
fn logged(name: &str) -> String {
    escape(name).to_string().replace(r"\\", r"\")
}

/// The whole name that an object had, as its mark has it.
pub(crate) fn source_of(marked: &str) -> (String, i64) {
    let (uri, generation) = marked.rsplit_once('#').unwrap();
    let uri = percent_decode_str(uri).decode_utf8().unwrap();
    (uri.into_owned(), generation.parse().unwrap())
}

#[tokio::test]
async fn every_odd_name_goes_the_whole_way_byte_for_byte_and_is_escaped_in_the_log() {
    let log = Buffer::default();
    let subscriber = telemetry::subscriber(Format::Json, "info", log.clone());
    // While there is but one subscriber, tracing lets a thread of another test switch a line off for all threads.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::new());
    let _logged = tracing::subscriber::set_default(subscriber);
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let insert = seen.clone();
    let system = System::with_processor(scripted(move |job| {
        let name = job.object().name.clone();
        insert.lock().unwrap().insert(name.clone());
        Box::pin(async move {
            if name.starts_with("incoming/bad/") {
                return Err(ProcessError::refuse(format!("{name} is bad")));
            }
            Ok(Outcome::summary(name))
        })
    }))
    .await;

    let mut expected = BTreeMap::new();
    for odd in ODD {
        for (name, to) in [(odd.to_owned(), "processed"), (format!("bad/{odd}"), "failed")] {
            system.upload(&name, &name);
            expected.insert(format!("incoming/{name}"), format!("{to}/{name}"));
        }
    }
    let polled = system.poll().await.unwrap();

    let names: BTreeSet<String> = expected.keys().cloned().collect();
    assert_eq!(*seen.lock().unwrap(), names, "what the worker saw");
    let mut stored = system.names();
    stored.sort();
    let mut want: Vec<String> = expected.values().cloned().collect();
    want.sort();
    assert_eq!(stored, want);
    for settled in &polled.settled {
        let object = settled.object.clone().unwrap();
        let to = &expected[&object.name];
        assert_eq!(settled.destination, format!("gs://{BUCKET}/{to}"));
        assert_eq!(system.content(to), object.name.strip_prefix("incoming/").unwrap());
    }
    assert_eq!(polled.settled.len(), expected.len());

    let uris = names.iter().map(|name| format!("gs://{BUCKET}/{name}"));
    check_log(&log.text(), uris);
}

#[tokio::test]
async fn the_longest_names_settle_and_can_be_told_from_their_marks() {
    let system = System::with_processor(scripted(|job| {
        let bad = job.object().name.ends_with('!');
        Box::pin(async move {
            if bad {
                return Err(ProcessError::refuse("no"));
            }
            Ok(Outcome::default())
        })
    }))
    .await;
    let mut uploaded = BTreeMap::new();
    for name in (1..=4).chain([1_013, 1_014, 1_015]).flat_map(long) {
        uploaded.insert(name.clone(), system.upload(&name, &name));
        if name.len() == 1_015 {
            let refused = format!("{}!", name.trim_end_matches(['.', 'x']));
            uploaded.insert(refused.clone(), system.upload(&refused, &refused));
        }
    }
    let polled = system.poll().await.unwrap();
    assert_eq!(polled.settled.len(), uploaded.len(), "{polled:?}");
    let stored = system.names();
    assert_eq!(stored.len(), uploaded.len());
    for at in stored {
        assert!(at.len() <= 1_024);
        let name = system.content(&at);
        let whole = [format!("processed/{name}"), format!("failed/{name}")].contains(&at);
        let metadata = system.metadata_of(&at).await;
        match metadata.get("brigade-source") {
            Some(source) => {
                let uri = format!("gs://{BUCKET}/incoming/{name}");
                assert_eq!(source_of(source), (uri, uploaded[&name]));
            }
            None => assert!(whole, "{at:?} does not have its name"),
        }
    }
}

#[tokio::test]
async fn a_name_that_no_directory_can_have_is_refused_with_a_line_that_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let builder = Emulator::builder().directory("files", directory.path());
    let emulator = builder.start(loopback().await).await.unwrap();
    let bucket = connect(&emulator).await.bucket("files");
    let long = "x".repeat(256);
    for (name, why) in [
        ("in/a/../b", "a part of it is"),
        ("in/./a", "a part of it is"),
        ("in//a", "two in a row"),
        ("/in/a", "a slash at its beginning"),
        ("in/a/", "a slash at its beginning or end"),
        ("in/\0", "it has a NUL"),
        (&*format!("in/{long}"), "longer than 255 bytes"),
        (".brigade-emulator/x", "its own notes"),
    ] {
        let error = bucket.create(name, 0, NewObject::default()).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("A directory cannot store the name"), "{text}");
        assert!(text.contains(why) && text.contains("in memory"), "{text}");
        assert!(!text.contains(char::is_control), "{text:?}");
    }
    assert_eq!(emulator.storage().list("").unwrap(), []);
}
