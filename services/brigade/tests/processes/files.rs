//! The files of one round, and where they have to be after it.

use std::collections::BTreeMap;

use fastrand::Rng;

use crate::google::{BUCKET, Google, OTHER_BUCKET};

/// Files that were laid into the inbox. No two have the same content, so each can be found wherever it is.
pub(crate) struct Files {
    folder: String,
    /// Content, and whether it may be missing: its own uploader may have replaced it.
    laid: BTreeMap<String, bool>,
    names: Vec<String>,
}

impl Files {
    /// Lays some, good and bad ones.
    pub(crate) fn lay(google: &Google, seed: u64, rng: &mut Rng) -> Self {
        let mut files =
            Self { folder: format!("{seed:04}/"), laid: BTreeMap::new(), names: Vec::new() };
        for n in 0..rng.u32(8..20) {
            let name = format!("in/{}{n:02} ü#?.csv", files.folder);
            let kind = if rng.u32(0..5) == 0 { "bad" } else { "good" };
            files.put(google, &name, format!("{kind} {seed}/{n}\n"));
            files.names.push(name);
        }
        files
    }

    pub(crate) fn count(&self) -> u64 {
        self.names.len() as u64
    }

    /// Uploads one of them again, as its owner may at any time.
    pub(crate) fn upload_one_again(&mut self, google: &Google, rng: &mut Rng) {
        let n = rng.usize(0..self.names.len());
        let name = self.names[n].clone();
        for (content, replaced) in &mut self.laid {
            *replaced |= content.ends_with(&format!("/{n}\n"));
        }
        self.put(google, &name, format!("good again {name}\n"));
    }

    fn put(&mut self, google: &Google, name: &str, content: String) {
        google.emulator.storage().put(name, content.clone()).unwrap();
        self.laid.insert(content, false);
    }

    /// Nothing lost, nothing doubled, and each where its own content says.
    pub(crate) fn check(&self, google: &Google) {
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for bucket in [BUCKET, OTHER_BUCKET] {
            for place in ["in", "processed", "failed"] {
                for name in google.names(bucket, &format!("{place}/{}", self.folder)) {
                    let content = google.emulator.storage().bucket(bucket).read(&name);
                    let content = String::from_utf8(content.unwrap().unwrap().to_vec()).unwrap();
                    found.entry(content).or_default().push(name);
                }
            }
        }
        for (content, may_be_missing) in &self.laid {
            let places = found.remove(content).unwrap_or_default();
            let place = if content.starts_with("bad") { "failed/" } else { "processed/" };
            match &places[..] {
                [] => assert!(may_be_missing, "{content:?} is lost"),
                [one] => assert!(one.starts_with(place), "{content:?} is at {one}"),
                more => panic!("{content:?} is doubled: {more:?}"),
            }
        }
        assert!(found.is_empty(), "no upload made {found:?}");
    }
}
