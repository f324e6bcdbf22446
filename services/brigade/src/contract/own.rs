//! The bucket as the suite gets it: below one prefix, and over what this run made alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use brigade_storage::{
    Bucket, Error, Kind, ListRequest, Location, Metadata, NewObject, Object, Operation, Page,
    Pinned, Result, RewriteStep, Store,
};
use bytes::Bytes;
use futures::stream::BoxStream;

/// How often a call is made that the service is too busy for. Cloud Storage takes about one write a second to one name.
const TRIES: u32 = 7;

/// A store that changes only what this run made.
#[derive(Clone, Debug)]
pub(super) struct OwnStore {
    inner: Arc<dyn Store>,
    ledger: Arc<Ledger>,
}

/// What this run may touch, and what it made.
#[derive(Debug)]
pub(super) struct Ledger {
    /// Where this run works, each ending in its random id.
    places: Vec<Location>,
    /// A bucket that does not exist.
    missing: String,
    notes: Mutex<Notes>,
}

type Generation = (String, String, i64);

#[derive(Debug, Default)]
struct Notes {
    /// Whether each generation that this run made may still be there.
    made: BTreeMap<Generation, bool>,
    calls: Calls,
}

/// Calls by what they are billed as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Calls {
    pub(super) class_a: u64,
    pub(super) class_b: u64,
    pub(super) free: u64,
}

#[derive(Debug)]
struct OwnBucket {
    inner: Arc<dyn Bucket>,
    ledger: Arc<Ledger>,
}

// === impl OwnStore ===

impl OwnStore {
    pub(super) fn new(inner: Arc<dyn Store>, places: Vec<Location>, missing: String) -> Self {
        let ledger = Ledger { places, missing, notes: Mutex::default() };
        Self { inner, ledger: Arc::new(ledger) }
    }

    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }
}

impl Store for OwnStore {
    fn bucket(&self, name: &str) -> Arc<dyn Bucket> {
        Arc::new(OwnBucket { inner: self.inner.bucket(name), ledger: Arc::clone(&self.ledger) })
    }
}

// === impl Ledger ===

impl Ledger {
    pub(super) fn places(&self) -> &[Location] {
        &self.places
    }

    pub(super) fn calls(&self) -> Calls {
        self.lock().calls
    }

    pub(super) fn count(&self, operation: Operation) {
        let calls = &mut self.lock().calls;
        match operation {
            Operation::Get | Operation::Read => calls.class_b += 1,
            Operation::Delete => calls.free += 1,
            _ => calls.class_a += 1,
        }
    }

    /// The generations that may still be there: bucket, name, generation.
    pub(super) fn live(&self) -> Vec<Generation> {
        let notes = self.lock();
        let live = notes.made.iter().filter(|(_, is_live)| **is_live);
        live.map(|(generation, _)| generation.clone()).collect()
    }

    /// Generations of this run that are gone by now.
    pub(super) fn gone(&self) -> Option<Generation> {
        let notes = self.lock();
        notes.made.iter().find(|(_, is_live)| !**is_live).map(|(generation, _)| generation.clone())
    }

    /// Whether this run made this generation.
    pub(super) fn is_own(&self, bucket: &str, name: &str, generation: i64) -> bool {
        let key = (bucket.to_owned(), name.to_owned(), generation);
        self.lock().made.contains_key(&key)
    }

    fn made(&self, object: &Object) {
        let key = (object.bucket.clone(), object.name.clone(), object.generation);
        self.lock().made.insert(key, true);
    }

    pub(super) fn removed(&self, bucket: &str, name: &str, generation: i64) {
        let key = (bucket.to_owned(), name.to_owned(), generation);
        if let Some(is_live) = self.lock().made.get_mut(&key) {
            *is_live = false;
        }
    }

    /// Refuses what is not below a place of this run. The missing bucket has no objects.
    fn check_name(&self, operation: Operation, bucket: &str, name: &str) -> Result<()> {
        if bucket == self.missing || self.places.iter().any(|place| place.holds(bucket, name)) {
            return Ok(());
        }
        Err(refused(operation, bucket, name, "it is not below the prefix of this run"))
    }

    /// Refuses what this run did not make.
    fn check(&self, operation: Operation, bucket: &str, source: Pinned<'_>) -> Result<()> {
        self.check_name(operation, bucket, source.name)?;
        if self.is_own(bucket, source.name, source.generation) {
            return Ok(());
        }
        Err(refused(operation, bucket, source.name, "this run did not make that generation"))
    }

    fn lock(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a call again while the service refuses it as busy, which applies nothing.
    async fn ask<T, F>(&self, operation: Operation, mut call: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let mut tries = 1;
        loop {
            self.count(operation);
            match call().await {
                Err(error) if tries < TRIES => {
                    let Kind::Busy { retry_after } = *error.kind() else { return Err(error) };
                    let pause = Duration::from_millis(500) * 2_u32.pow(tries);
                    tokio::time::sleep(retry_after.unwrap_or(pause).min(Duration::from_secs(30)))
                        .await;
                    tries += 1;
                }
                answer => return answer,
            }
        }
    }
}

fn refused(operation: Operation, bucket: &str, name: &str, why: &str) -> Error {
    Error::new(Kind::Invalid, operation, bucket, name, format!("not sent: {why}"))
}

#[async_trait]
impl Bucket for OwnBucket {
    fn name(&self) -> &str {
        self.inner.name()
    }

    async fn list(&self, request: &ListRequest) -> Result<Page> {
        self.ledger.ask(Operation::List, || self.inner.list(request)).await
    }

    async fn get(&self, name: &str) -> Result<Object> {
        self.ledger.ask(Operation::Get, || self.inner.get(name)).await
    }

    async fn create(&self, name: &str, replaces: i64, new: NewObject) -> Result<Object> {
        let bucket = self.name();
        self.ledger.check_name(Operation::Create, bucket, name)?;
        if replaces != 0 {
            self.ledger.check(Operation::Create, bucket, Pinned { name, generation: replaces })?;
        }
        let call = || self.inner.create(name, replaces, new.clone());
        let created = self.ledger.ask(Operation::Create, call).await?;
        self.ledger.made(&created);
        self.ledger.removed(bucket, name, replaces);
        Ok(created)
    }

    async fn update(
        &self,
        source: Pinned<'_>,
        metageneration: i64,
        metadata: &Metadata,
    ) -> Result<Object> {
        self.ledger.check(Operation::Update, self.name(), source)?;
        let call = || self.inner.update(source, metageneration, metadata);
        self.ledger.ask(Operation::Update, call).await
    }

    async fn rename(
        &self,
        source: Pinned<'_>,
        metageneration: i64,
        destination: &str,
    ) -> Result<Object> {
        let bucket = self.name();
        self.ledger.check(Operation::Move, bucket, source)?;
        self.ledger.check_name(Operation::Move, bucket, destination)?;
        let call = || self.inner.rename(source, metageneration, destination);
        let renamed = self.ledger.ask(Operation::Move, call).await?;
        self.ledger.made(&renamed);
        self.ledger.removed(bucket, source.name, source.generation);
        Ok(renamed)
    }

    async fn rewrite(
        &self,
        source: Pinned<'_>,
        bucket: &str,
        destination: &str,
        metadata: Option<&Metadata>,
        token: Option<&str>,
    ) -> Result<RewriteStep> {
        self.ledger.check(Operation::Rewrite, self.name(), source)?;
        self.ledger.check_name(Operation::Rewrite, bucket, destination)?;
        let call = || self.inner.rewrite(source, bucket, destination, metadata, token);
        let step = self.ledger.ask(Operation::Rewrite, call).await?;
        if let RewriteStep::Done(copy) = &step {
            self.ledger.made(copy);
        }
        Ok(step)
    }

    async fn delete(&self, source: Pinned<'_>) -> Result<()> {
        self.ledger.check(Operation::Delete, self.name(), source)?;
        self.ledger.ask(Operation::Delete, || self.inner.delete(source)).await?;
        self.ledger.removed(self.name(), source.name, source.generation);
        Ok(())
    }

    async fn read(
        &self,
        source: Pinned<'_>,
        offset: u64,
    ) -> Result<BoxStream<'static, Result<Bytes>>> {
        self.ledger.ask(Operation::Read, || self.inner.read(source, offset)).await
    }
}

/// The names of leftovers, in order.
pub(super) type Left = BTreeSet<String>;

/// Removes every generation that this run made, and returns what it could not remove and what others put beside it.
pub(super) async fn clean_up(store: &OwnStore) -> Left {
    let ledger = store.ledger();
    let mut left = Left::new();
    for (bucket, name, generation) in ledger.live() {
        let removed = store.bucket(&bucket).delete(Pinned { name: &name, generation }).await;
        match removed {
            Ok(()) => {}
            // It is gone, or another has taken its place, which is left alone.
            Err(error) if error.is_not_found() || error.is_precondition() => {}
            Err(error) => {
                left.insert(error.to_string());
            }
        }
    }
    for place in ledger.places() {
        match leftovers(&*store.bucket(&place.bucket), place).await {
            Ok(objects) => left.extend(objects.iter().filter_map(|object| {
                let is_own = ledger.is_own(&object.bucket, &object.name, object.generation);
                (!is_own).then(|| {
                    let at = brigade_storage::object::escape(&object.name).to_string();
                    format!(
                        "gs://{}/{at} is left alone: this run has no answer that says that it made generation {}",
                        object.bucket, object.generation
                    )
                })
            })),
            Err(error) => {
                left.insert(format!("cannot see what is left: {error}"));
            }
        }
    }
    left
}

async fn leftovers(bucket: &dyn Bucket, place: &Location) -> Result<Vec<Object>> {
    let mut request = ListRequest { prefix: place.prefix.clone(), ..ListRequest::default() };
    let mut objects = Vec::new();
    loop {
        let page = bucket.list(&request).await?;
        objects.extend(page.objects);
        if page.next.is_empty() {
            return Ok(objects);
        }
        request.page_token = page.next;
    }
}
