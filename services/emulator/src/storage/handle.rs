//! The handle on the emulator's storage, for the servers and for tests that bypass the wire.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;

use super::{
    calls::{Calls, Counters},
    fault::{Effect, Fault, Faults, HitCount},
    operation::Operation,
    random_fault::{RandomFault, RandomFaults},
};
use brigade_model::{
    Access, Attributes, BeingWritten, Conditions, Edit, Model, Object, Refusal, Result, Upload,
};

/// The emulator's storage. Clones are the same storage.
///
/// Methods with object names act on the first bucket of the [builder](crate::Builder); [`bucket`](Self::bucket)
/// reaches the others. They come behind the wire: they meet no fault and count as no call.
#[derive(Clone)]
pub struct Storage {
    shared: Arc<Shared>,
    access: Access,
}

/// One bucket of the storage; see [`Storage::bucket`].
#[derive(Clone, Debug)]
pub struct BucketHandle {
    storage: Storage,
    name: String,
}

struct Shared {
    model: Mutex<Model>,
    /// Files are read and written away from the threads that serve.
    on_disk: bool,
    first: String,
    faults: Faults,
    random_faults: RandomFaults,
    counters: Counters,
}

// === impl Storage ===

impl Storage {
    pub(crate) fn new(model: Model, on_disk: bool, first: String) -> Self {
        Self {
            shared: Arc::new(Shared {
                model: Mutex::new(model),
                on_disk,
                first,
                faults: Faults::default(),
                random_faults: RandomFaults::default(),
                counters: Counters::default(),
            }),
            access: Access::All,
        }
    }

    /// The same storage, for a caller that may do no more than this.
    pub(crate) fn acting(&self, access: Access) -> Self {
        Self { shared: Arc::clone(&self.shared), access }
    }

    /// Another bucket than the first.
    pub fn bucket(&self, name: &str) -> BucketHandle {
        BucketHandle { storage: self.clone(), name: name.to_owned() }
    }

    /// Creates or replaces an object; its generation.
    pub fn put(&self, name: &str, content: impl Into<Bytes>) -> Result<i64, Refusal> {
        self.first().put(name, content)
    }

    /// The live object, if there is one.
    pub fn get(&self, name: &str) -> Result<Option<Object>, Refusal> {
        self.first().get(name)
    }

    /// The live object's content, if there is one.
    pub fn read(&self, name: &str) -> Result<Option<Bytes>, Refusal> {
        self.first().read(name)
    }

    /// All live objects whose names begin with `prefix`, in name order.
    pub fn list(&self, prefix: &str) -> Result<Vec<Object>, Refusal> {
        self.first().list(prefix)
    }

    /// Deletes an object.
    pub fn remove(&self, name: &str) -> Result<(), Refusal> {
        self.first().remove(name)
    }

    /// Lets the next calls of an operation fail; the answer tells how many have met it.
    ///
    /// Faults of one operation are met one after another, in the order in which they were injected.
    pub fn fault(&self, operation: Operation, fault: Fault) -> HitCount {
        self.shared.faults.arm(operation, fault)
    }

    /// Lets some calls fail by chance from now on; the answer tells how many have met it. One seed is one sequence.
    pub fn fault_by_chance(&self, fault: RandomFault, seed: u64) -> HitCount {
        self.shared.random_faults.add(fault, seed)
    }

    /// How many calls have come over the wire.
    pub fn calls(&self) -> Calls {
        self.shared.counters.snapshot()
    }

    /// Counts from zero again.
    pub fn reset_calls(&self) {
        self.shared.counters.reset();
    }

    /// Lets every copy take at least this many calls, as one between locations does.
    pub fn set_rewrite_calls(&self, calls: u64) {
        self.lock().rewrite_calls = calls;
    }

    /// Refuses a write of a name before so much time has passed since the last one, with 429; Cloud Storage takes about
    /// one write a second, as others report (grafana/mimir#12086).
    pub fn limit_writes(&self, interval: Duration) {
        self.lock().write_interval = Some(interval);
    }

    /// What this call meets: a fault that waits for it, else one by chance.
    pub(crate) fn meet(&self, operation: Operation) -> Option<Effect> {
        let queued = self.shared.faults.meet(operation);
        queued.or_else(|| self.shared.random_faults.meet(operation))
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// One call, atomic.
    pub(crate) async fn run<T, F>(&self, call: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Model) -> Result<T> + Send + 'static,
    {
        if !self.shared.on_disk {
            return call(&mut self.lock());
        }
        let storage = self.clone();
        tokio::task::spawn_blocking(move || call(&mut storage.lock())).await.unwrap_or_else(
            |panic| Err(Refusal::new(brigade_model::Kind::Internal, panic.to_string())),
        )
    }

    fn first(&self) -> BucketHandle {
        self.bucket(&self.shared.first)
    }

    fn lock(&self) -> MutexGuard<'_, Model> {
        // Each call leaves the buckets whole, so a panic elsewhere is no reason to refuse the next.
        let model = self.shared.model.lock();
        let mut model = model.unwrap_or_else(PoisonError::into_inner);
        model.access = self.access.clone();
        model
    }
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Storage").finish_non_exhaustive()
    }
}

// === impl BucketHandle ===

impl BucketHandle {
    /// Creates or replaces an object; its generation.
    pub fn put(&self, name: &str, content: impl Into<Bytes>) -> Result<i64, Refusal> {
        let object = self.put_with(name, content, Attributes::default())?;
        Ok(object.generation)
    }

    /// Creates or replaces an object with these attributes.
    pub fn put_with(
        &self,
        name: &str,
        content: impl Into<Bytes>,
        attributes: Attributes,
    ) -> Result<Object, Refusal> {
        let upload = Upload::new(content, attributes);
        self.storage.lock().insert(&self.name, name, upload, &Conditions::default())
    }

    /// The live object, if there is one.
    pub fn get(&self, name: &str) -> Result<Option<Object>, Refusal> {
        self.storage.lock().bucket(&self.name)?.look(name)
    }

    /// The live object's content, if there is one.
    pub fn read(&self, name: &str) -> Result<Option<Bytes>, Refusal> {
        let mut model = self.storage.lock();
        if model.bucket(&self.name)?.look(name)?.is_none() {
            return Ok(None);
        }
        let read = model.read(&self.name, name, None, &Conditions::default(), None);
        read?.2.into_bytes().map(Some)
    }

    /// All live objects whose names begin with `prefix`, in name order.
    pub fn list(&self, prefix: &str) -> Result<Vec<Object>, Refusal> {
        self.storage.lock().bucket(&self.name)?.objects(prefix)
    }

    /// The files of its directory that were no objects yet at their last look, in name order.
    ///
    /// # Errors
    /// When there is no such bucket.
    pub fn being_written(&self, prefix: &str) -> Result<Vec<BeingWritten>, Refusal> {
        Ok(self.storage.lock().bucket(&self.name)?.being_written(prefix))
    }

    /// Deletes an object.
    pub fn remove(&self, name: &str) -> Result<(), Refusal> {
        self.storage.lock().delete(&self.name, name, None, &Conditions::default())
    }

    /// Changes an object's attributes, as a metadata update does.
    pub fn edit(
        &self,
        name: &str,
        edit: impl FnOnce(&mut Attributes) + Send + 'static,
    ) -> Result<Object, Refusal> {
        let mut model = self.storage.lock();
        model.update(&self.name, name, None, &Conditions::default(), Edit::new(edit))
    }

    /// Keeps what is replaced, deleted or moved away as noncurrent versions from now on.
    ///
    /// # Errors
    /// When the bucket is a directory, or there is none.
    pub fn keep_versions(&self) -> Result<(), Refusal> {
        self.storage.lock().bucket(&self.name)?.keep_versions()
    }

    /// The noncurrent versions, by name and generation.
    pub fn noncurrent(&self) -> Result<Vec<Object>, Refusal> {
        let mut model = self.storage.lock();
        Ok(model.bucket(&self.name)?.noncurrent().cloned().collect())
    }

    /// Keeps every object for so long after its creation, or no longer at all.
    pub fn set_retention(&self, period: Option<Duration>) -> Result<(), Refusal> {
        self.storage.lock().bucket(&self.name)?.config.retention = period;
        Ok(())
    }
}
