//! What workers write: one output for each input, of its newest content, in no loop, and what is written on inputs.

mod fences;
mod loops;
mod marks;
mod names;

use std::{collections::BTreeMap, net::SocketAddr};

use brigade_emulator::storage::Object;

use crate::{
    google::{BUCKET, Google, SERVICES, WORKER_AUDIENCE, serve},
    process::Process,
};

const OUTPUT: (&str, &str) = ("BRIGADE_OUTPUT", "gs://data/features/");

/// Emulator, worker and poller.
struct Running {
    google: Google,
    _worker: Process,
    poller: Process,
    address: SocketAddr,
}

impl Running {
    /// A worker with these variables, and a poller of `gs://data/in/`.
    async fn start(worker: &[(&str, &str)]) -> Self {
        let google = Google::start().await;
        let (worker, at) = self::worker(&google, worker).await;
        let (poller, address) = google.poller_with(at, &[]).await;
        Self { google, _worker: worker, poller, address }
    }

    /// A worker that runs this program, and uploads what it leaves.
    async fn program(program: &str) -> Self {
        Self::start(&[OUTPUT, ("BRIGADE_EXEC", program)]).await
    }

    fn put(&self, name: &str, content: &str) -> i64 {
        self.google.emulator.storage().put(name, content.to_owned()).unwrap()
    }

    fn object(&self, name: &str) -> Object {
        let found = self.google.emulator.storage().get(name).unwrap();
        found.unwrap_or_else(|| panic!("no {name}: {:?}\n{}", self.names(""), self.poller.log()))
    }

    fn mark(&self, name: &str, key: &str) -> Option<String> {
        self.object(name).attributes.metadata.get(key).cloned()
    }

    fn names(&self, prefix: &str) -> Vec<String> {
        self.google.names(BUCKET, prefix)
    }

    /// Names below the prefix, and contents.
    fn contents(&self, prefix: &str) -> BTreeMap<String, String> {
        let read = |name: String| {
            let content = self.google.emulator.storage().read(&name).unwrap().unwrap();
            let short = name.strip_prefix(prefix).unwrap().to_owned();
            (short, String::from_utf8(content.to_vec()).unwrap())
        };
        self.names(prefix).into_iter().map(read).collect()
    }

    /// A poll that ends well; how many files it settled as this.
    async fn poll(&self, settled: &str) -> u64 {
        let answer = self.google.poll(self.address).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}\n{}", self.poller.log());
        let count = &answer.body["counts"][settled];
        count.as_str().map_or(0, |count| count.parse().unwrap())
    }
}

/// A worker with these variables.
async fn worker(google: &Google, more: &[(&str, &str)]) -> (Process, SocketAddr) {
    let own = [("BRIGADE_AUDIENCE", WORKER_AUDIENCE), ("BRIGADE_ALLOWED_CALLERS", SERVICES)];
    let variables: Vec<_> = own.iter().chain(more).copied().collect();
    serve("worker", google.emulator.env(), &variables).await
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}
