//! Cloud Storage's client keeps every promise of the port, against the local emulator in memory and on a directory.

use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    thread,
};

use brigade_contract::{self as contract, Capabilities, Fixture, Stored};
use brigade_emulator::{Emulator, storage::Attributes};
use brigade_storage::gcs::{GcsSettings, GcsStore};
use tempfile::TempDir;
use tokio::{net::TcpListener, runtime::Runtime};

macro_rules! tests {
    ($($subject:ident { $($promise:ident)* })*) => { $($(
        #[tokio::test]
        async fn $promise() {
            let stand = Stand::shared();
            let fixture = fixture(&stand).await.below(stringify!($promise));
            contract::$promise(&fixture).await.unwrap();
        }
    )*)* };
}

mod memory {
    use super::*;

    brigade_contract::promises!(tests);

    async fn fixture(stand: &Stand) -> Fixture {
        stand.fixture("memory", "memory-other").await
    }

    #[tokio::test]
    async fn all_promises_are_kept_side_by_side_in_one_bucket() {
        let stand = Stand::shared();
        let fixture = stand.fixture("memory-all", "memory-all-other").await;
        contract::all(&fixture).await.unwrap();
    }
}

mod directory {
    use super::*;

    brigade_contract::promises!(tests);

    async fn fixture(stand: &Stand) -> Fixture {
        let fixture = stand.fixture("directory", "directory-other").await;
        fixture.with_capabilities(Capabilities::names(is_path))
    }

    /// Whether a file below a directory can have this name.
    fn is_path(name: &str) -> bool {
        name.split('/').all(|part| {
            !matches!(part, "" | "." | "..") && part.len() <= 255 && !part.contains('\0')
        })
    }

    #[tokio::test]
    async fn all_promises_are_kept_side_by_side_in_one_bucket() {
        let stand = Stand::shared();
        let fixture = stand.fixture("directory-all", "directory-all-other").await;
        let fixture = fixture.with_capabilities(Capabilities::names(is_path));
        contract::all(&fixture).await.unwrap();
    }
}

/// An emulator on a runtime of its own, as the one that a test has ends with the test. It takes a while to make its
/// keys, so tests that run at the same time share it.
struct Stand {
    emulator: Emulator,
    runtime: Option<Runtime>,
    _directory: TempDir,
}

static SHARED: Mutex<Weak<Stand>> = Mutex::new(Weak::new());

impl Stand {
    fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            // A thread of its own, because a runtime cannot be entered from within another.
            let stand = Arc::new(thread::spawn(Self::start).join().unwrap());
            *shared = Arc::downgrade(&stand);
            stand
        })
    }

    fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let mut builder = Emulator::builder().memory();
        for name in ["memory", "memory-other", "memory-all", "memory-all-other", "versioned"] {
            builder = builder.bucket(name);
        }
        for name in ["directory", "directory-other", "directory-all", "directory-all-other"] {
            builder = builder.directory(name, directory.path().join(name));
        }
        let emulator = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            builder.start(listener).await.unwrap()
        });
        let versioned = emulator.storage().bucket("versioned");
        versioned.keep_versions().unwrap();
        Self { emulator, runtime: Some(runtime), _directory: directory }
    }

    /// The client finds the emulator as every program does: by its environment.
    async fn fixture(&self, bucket: &str, other: &str) -> Fixture {
        let env = self.emulator.env();
        let settings = GcsSettings::from_env(|name| {
            env.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone())
        });
        let store = GcsStore::connect(settings).await.unwrap();
        let fixture = Fixture::new(Arc::new(store), bucket, other).with_versioned("versioned");
        let storage = self.emulator.storage().clone();
        let upload = move |bucket: &str, name: &str, stored: &Stored| {
            let attributes = Attributes {
                content_encoding: stored.content_encoding.into(),
                cache_control: stored.cache_control.into(),
                storage_class: stored.storage_class.into(),
                custom_time: Some(stored.custom_time.into()),
                ..Attributes::default()
            };
            storage.bucket(bucket).put_with(name, "x", attributes).unwrap();
        };
        fixture.with_upload(upload).below(bucket)
    }
}

impl Drop for Stand {
    /// The last test drops it inside its own runtime, where it must not wait.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
