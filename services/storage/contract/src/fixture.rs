//! What the suite is run on, and the handholds that its promises share.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use futures::{TryStreamExt as _, future::BoxFuture};

use super::check::{Broken, Outcome, same};
use brigade_storage::{
    Bucket, ListRequest, NewObject, RewriteStep, Store,
    error::Result,
    object::{Metadata, Object, Pinned},
};

/// The store under test, two buckets of it, and a prefix that no other test uses.
#[derive(Clone, Debug)]
pub struct Fixture {
    store: Arc<dyn Store>,
    bucket: String,
    other: String,
    missing: String,
    versioned: Option<String>,
    upload: Option<Upload>,
    hold: Option<Hold>,
    prefix: String,
    /// The same in the other bucket.
    other_prefix: String,
    /// Nothing outside of the prefixes is touched.
    is_confined: bool,
    pub(super) capabilities: Capabilities,
}

/// Uploads something to this bucket and name that is stored as this says.
#[derive(Clone)]
struct Upload(Arc<UploadFn>);

/// Sets or releases a hold of this generation.
#[derive(Clone)]
struct Hold(Arc<HoldFn>);

type HoldFn = dyn Fn(Object, bool) -> BoxFuture<'static, Result<Object>> + Send + Sync;

type UploadFn = dyn Fn(&str, &str, &Stored) + Send + Sync;

/// How an uploader has an object stored; the port itself cannot say it.
#[derive(Clone, Copy, Debug)]
pub struct Stored {
    /// Content-Encoding.
    pub content_encoding: &'static str,
    /// Cache-Control.
    pub cache_control: &'static str,
    /// The storage class.
    pub storage_class: &'static str,
    /// The uploader's own time.
    pub custom_time: &'static str,
}

/// What a store can hold. Cloud Storage can hold every legal name; a directory cannot.
#[derive(Clone)]
pub struct Capabilities {
    holds: Arc<dyn Fn(&str) -> bool + Send + Sync>,
}

// === impl Fixture ===

impl Fixture {
    /// `bucket` and `other` exist and are writable; `brigade-no-such-bucket` does not exist.
    pub fn new(store: Arc<dyn Store>, bucket: &str, other: &str) -> Self {
        Self {
            store,
            bucket: bucket.to_owned(),
            other: other.to_owned(),
            missing: "brigade-no-such-bucket".to_owned(),
            versioned: None,
            upload: None,
            hold: None,
            prefix: String::new(),
            other_prefix: String::new(),
            is_confined: false,
            capabilities: Capabilities::everything(),
        }
    }

    /// The same with a bucket that keeps noncurrent versions.
    #[must_use]
    pub fn with_versioned(mut self, bucket: &str) -> Self {
        self.versioned = Some(bucket.to_owned());
        self
    }

    /// The same with an uploader that has objects stored as it is told; promises about that are kept without one.
    #[must_use]
    pub fn with_upload(
        mut self,
        upload: impl Fn(&str, &str, &Stored) + Send + Sync + 'static,
    ) -> Self {
        self.upload = Some(Upload(Arc::new(upload)));
        self
    }

    /// The same with a way to set and release holds; promises about them are kept without one.
    #[must_use]
    pub fn with_hold(
        mut self,
        hold: impl Fn(Object, bool) -> BoxFuture<'static, Result<Object>> + Send + Sync + 'static,
    ) -> Self {
        self.hold = Some(Hold(Arc::new(hold)));
        self
    }

    /// The same with this bucket that does not exist.
    #[must_use]
    pub fn with_missing(mut self, bucket: &str) -> Self {
        bucket.clone_into(&mut self.missing);
        self
    }

    /// The same for buckets in which nothing outside of these prefixes, one for each, may be touched.
    #[must_use]
    pub fn below_prefixes(mut self, prefix: &str, other: &str) -> Self {
        (self.prefix, self.other_prefix) = (prefix.to_owned(), other.to_owned());
        self.is_confined = true;
        self
    }

    /// The same for a store that cannot hold everything.
    #[must_use]
    pub fn with_capabilities(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// The same, working below `folder/`.
    #[must_use]
    pub fn below(&self, folder: &str) -> Self {
        let prefix = format!("{}{folder}/", self.prefix);
        let other_prefix = format!("{}{folder}/", self.other_prefix);
        Self { prefix, other_prefix, ..self.clone() }
    }

    /// Why a promise cannot be tried on this fixture, if it cannot.
    pub(super) fn why_not(&self, subject: &str, promise: &str) -> Option<&'static str> {
        match subject {
            "storing" if self.upload.is_none() => {
                Some("it needs an uploader that sets encoding, caching, class and time")
            }
            "holding" if self.hold.is_none() => Some("it needs a way to set a hold"),
            "versioning" if self.versioned.is_none() => {
                Some("it needs a bucket that keeps versions")
            }
            "naming" if self.is_confined && promise == "names_that_are_no_names_are_refused" => {
                Some("these names are not below the prefix")
            }
            _ => None,
        }
    }

    /// Only names below the prefix may be used.
    pub(super) fn is_confined(&self) -> bool {
        self.is_confined
    }

    /// The bucket under test.
    pub(super) fn bucket(&self) -> Arc<dyn Bucket> {
        self.store.bucket(&self.bucket)
    }

    /// Another bucket.
    pub(super) fn other(&self) -> Arc<dyn Bucket> {
        self.store.bucket(&self.other)
    }

    /// A bucket that does not exist.
    pub(super) fn missing(&self) -> Arc<dyn Bucket> {
        self.store.bucket(&self.missing)
    }

    /// A bucket that keeps noncurrent versions, if there is one.
    pub(super) fn versioned(&self) -> Option<Arc<dyn Bucket>> {
        Some(self.store.bucket(self.versioned.as_ref()?))
    }

    /// A name below the prefix.
    pub(super) fn at(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// A name below the prefix of the other bucket.
    pub(super) fn there(&self, name: &str) -> String {
        format!("{}{name}", self.other_prefix)
    }

    /// Sets or releases a hold, if there is a way to.
    pub(super) async fn hold(&self, object: &Object, is_held: bool) -> Result<Option<Object>> {
        match &self.hold {
            Some(Hold(hold)) => hold(object.clone(), is_held).await.map(Some),
            None => Ok(None),
        }
    }

    /// Uploads something where nothing is.
    pub(super) async fn put(&self, name: &str, content: &'static str) -> Result<Object> {
        self.bucket().create(&self.at(name), 0, text(content)).await
    }

    /// Uploads something that is stored as `stored` says, if there is an uploader that can.
    pub(super) async fn put_stored(&self, name: &str, stored: &Stored) -> Result<Option<Object>> {
        let Some(Upload(upload)) = &self.upload else {
            return Ok(None);
        };
        let name = self.at(name);
        upload(&self.bucket, &name, stored);
        self.bucket().get(&name).await.map(Some)
    }

    /// Replaces an object.
    pub(super) async fn put_again(&self, old: &Object, content: &'static str) -> Result<Object> {
        let bucket = self.bucket();
        bucket.create(&old.name, old.generation, text(content)).await
    }

    /// All objects whose names begin with the prefix and `prefix`, by name without the former, in pages of `size`.
    pub(super) async fn list(&self, prefix: &str, size: i32) -> Result<Vec<String>> {
        let mut request =
            ListRequest { prefix: self.at(prefix), page_size: size, ..ListRequest::default() };
        let mut names = Vec::new();
        loop {
            let page = self.bucket().list(&request).await?;
            names.extend(page.objects.iter().map(|object| self.short(object)));
            if page.next.is_empty() {
                return Ok(names);
            }
            request.page_token = page.next;
        }
    }

    /// An object's name without the prefix.
    pub(super) fn short(&self, object: &Object) -> String {
        let name = &object.name;
        name.strip_prefix(&self.prefix).unwrap_or(name).to_owned()
    }

    /// The live object must be just this, with this content.
    pub(super) async fn unchanged(&self, object: &Object, content: &str) -> Outcome {
        let bucket = self.store.bucket(&object.bucket);
        same("the object", bucket.get(&object.name).await?, object.clone())?;
        let read = read(&*bucket, object.pinned(), 0).await?;
        same("the content", read, Bytes::copy_from_slice(content.as_bytes()))
    }
}

// === impl Capabilities ===

impl Capabilities {
    /// Every legal name, as Cloud Storage.
    pub fn everything() -> Self {
        Self::names(|_| true)
    }

    /// Only the legal names that `holds` accepts; all others are refused as invalid.
    pub fn names(holds: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self { holds: Arc::new(holds) }
    }

    /// Whether an object of this legal name can be held.
    pub(super) fn holds(&self, name: &str) -> bool {
        (self.holds)(name)
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Upload")
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hold")
    }
}

impl fmt::Debug for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Capabilities")
    }
}

/// A small object with a content type and metadata.
pub(super) fn text(content: &'static str) -> NewObject {
    NewObject {
        content: content.into(),
        content_type: "text/csv".into(),
        metadata: metadata(&[("device", "pad"), ("site", "Bern"), ("subject", "308")]),
    }
}

pub(super) fn metadata(pairs: &[(&str, &str)]) -> Metadata {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// Downloads from `offset` to the end.
pub(super) async fn read(bucket: &dyn Bucket, source: Pinned<'_>, offset: u64) -> Result<Bytes> {
    let mut stream = bucket.read(source, offset).await?;
    let mut content = Vec::new();
    while let Some(chunk) = stream.try_next().await? {
        content.extend_from_slice(&chunk);
    }
    Ok(content.into())
}

/// Copies to the end, in as many steps as the store wants.
pub(super) async fn copy(
    source: &Object,
    from: &dyn Bucket,
    to: (&str, &str),
    metadata: Option<&Metadata>,
) -> Result<Object> {
    let mut token: Option<String> = None;
    loop {
        let (bucket, name) = to;
        let step = from.rewrite(source.pinned(), bucket, name, metadata, token.as_deref());
        match step.await? {
            RewriteStep::Done(copy) => return Ok(*copy),
            RewriteStep::More(next) => token = Some(next),
        }
    }
}

/// Of two calls that exclude each other, exactly one must have succeeded; the other's error is returned.
pub(super) fn one_winner<T: fmt::Debug>(
    first: Result<T>,
    second: Result<T>,
) -> Result<(T, brigade_storage::Error), Broken> {
    match (first, second) {
        (Ok(won), Err(lost)) | (Err(lost), Ok(won)) => Ok((won, lost)),
        other => Err(Broken::new(format!("not one winner: {other:?}"))),
    }
}
