//! The suite finds a store that breaks a promise: each planted mistake is one that a real implementation could make.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use brigade_contract::{self as contract, Fixture, Stored};
use brigade_sim::Sim;
use brigade_storage::{
    Bucket, ListRequest, Metadata, NewObject, Object, Page, Pinned, Result, RewriteStep, Store,
};
use bytes::Bytes;
use futures::stream::BoxStream;

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    MoveWithoutSourceFence,
    MoveWithoutMetagenerationFence,
    MoveOverTheDestination,
    MoveByCopyThatForgetsMetadata,
    DeleteByName,
    DeleteForGood,
    CreateOverWhatIsThere,
    UpdateWithoutMetagenerationFence,
    UpdateReplacesAllMetadata,
    CopyOfWhateverIsLive,
    ReadOfWhateverIsLive,
    ReadIgnoresTheOffset,
    PagesByNumber,
    ListingIgnoresTheFoldersSlash,
    MetadataIsCutToFit,
    NamesAreTrimmed,
    NamesAreResolvedAsPaths,
}

#[derive(Debug)]
struct Sloppy {
    sim: Sim,
    inner: Arc<dyn Bucket>,
    mistake: Mistake,
}

#[derive(Debug)]
struct SloppyStore(Sim, Mistake);

impl Store for SloppyStore {
    fn bucket(&self, name: &str) -> Arc<dyn Bucket> {
        Arc::new(Sloppy { sim: self.0.clone(), inner: self.0.bucket(name), mistake: self.1 })
    }
}

impl Sloppy {
    fn makes(&self, mistake: Mistake) -> bool {
        self.mistake == mistake
    }

    /// `source`, or what is live at its name when the mistake is made.
    async fn pin<'a>(&self, mistake: Mistake, source: Pinned<'a>) -> Result<Pinned<'a>> {
        if !self.makes(mistake) {
            return Ok(source);
        }
        let generation = self.inner.get(source.name).await?.generation;
        Ok(Pinned { generation, ..source })
    }

    fn name(&self, name: &str) -> String {
        if self.makes(Mistake::NamesAreTrimmed) {
            name.trim().to_owned()
        } else if self.makes(Mistake::NamesAreResolvedAsPaths) {
            name.replace("/../", "/").replace("//", "/")
        } else {
            name.to_owned()
        }
    }
}

#[async_trait]
impl Bucket for Sloppy {
    fn name(&self) -> &str {
        self.inner.name()
    }

    async fn list(&self, request: &ListRequest) -> Result<Page> {
        let mut request = request.clone();
        if self.makes(Mistake::ListingIgnoresTheFoldersSlash) {
            request.prefix = request.prefix.trim_end_matches('/').to_owned();
        }
        if !self.makes(Mistake::PagesByNumber) {
            return self.inner.list(&request).await;
        }
        let skip: usize = request.page_token.parse().unwrap_or_default();
        let size = usize::try_from(request.page_size).unwrap().min(1_000);
        let all = ListRequest { page_size: 1_000, page_token: String::new(), ..request };
        let objects: Vec<Object> = self.inner.list(&all).await?.objects;
        let page: Vec<Object> = objects.iter().skip(skip).take(size.max(1)).cloned().collect();
        let end = skip + page.len();
        let next = if end < objects.len() { end.to_string() } else { String::new() };
        Ok(Page { objects: page, next })
    }

    async fn get(&self, name: &str) -> Result<Object> {
        self.inner.get(&Self::name(self, name)).await
    }

    async fn create(&self, name: &str, replaces: i64, mut new: NewObject) -> Result<Object> {
        if self.makes(Mistake::MetadataIsCutToFit) {
            new.metadata.values_mut().for_each(|value| value.truncate(1_024));
        }
        let name = Self::name(self, name);
        let replaces = match self.inner.get(&name).await {
            Ok(live) if self.makes(Mistake::CreateOverWhatIsThere) => live.generation,
            _ => replaces,
        };
        self.inner.create(&name, replaces, new).await
    }

    async fn update(
        &self,
        source: Pinned<'_>,
        metageneration: i64,
        metadata: &Metadata,
    ) -> Result<Object> {
        let live = self.inner.get(source.name).await?;
        let mut metadata = metadata.clone();
        if self.makes(Mistake::UpdateReplacesAllMetadata) {
            for key in live.metadata.keys() {
                metadata.entry(key.clone()).or_default();
            }
        }
        let fence = if self.makes(Mistake::UpdateWithoutMetagenerationFence) {
            live.metageneration
        } else {
            metageneration
        };
        self.inner.update(source, fence, &metadata).await
    }

    async fn rename(
        &self,
        source: Pinned<'_>,
        mut metageneration: i64,
        destination: &str,
    ) -> Result<Object> {
        let source = self.pin(Mistake::MoveWithoutSourceFence, source).await?;
        if self.makes(Mistake::MoveWithoutMetagenerationFence) {
            metageneration = self.inner.get(source.name).await?.metageneration;
        }
        if self.makes(Mistake::MoveOverTheDestination)
            && let Ok(taken) = self.inner.get(destination).await
        {
            self.inner.delete(taken.pinned()).await?;
        }
        if self.makes(Mistake::MoveByCopyThatForgetsMetadata) {
            let forgotten: Metadata = self
                .inner
                .get(source.name)
                .await?
                .metadata
                .into_keys()
                .map(|key| (key, String::new()))
                .collect();
            let bucket = self.inner.name();
            let step = self.inner.rewrite(source, bucket, destination, Some(&forgotten), None);
            let RewriteStep::Done(copy) = step.await? else {
                unreachable!("the simulation copies in one step")
            };
            self.inner.delete(source).await?;
            return Ok(*copy);
        }
        self.inner.rename(source, metageneration, destination).await
    }

    async fn rewrite(
        &self,
        source: Pinned<'_>,
        bucket: &str,
        destination: &str,
        metadata: Option<&Metadata>,
        token: Option<&str>,
    ) -> Result<RewriteStep> {
        let source = self.pin(Mistake::CopyOfWhateverIsLive, source).await?;
        self.inner.rewrite(source, bucket, destination, metadata, token).await
    }

    async fn delete(&self, source: Pinned<'_>) -> Result<()> {
        let source = self.pin(Mistake::DeleteByName, source).await?;
        if self.makes(Mistake::DeleteForGood) {
            return (self.sim).erase(self.inner.name(), source.name, source.generation);
        }
        self.inner.delete(source).await
    }

    async fn read(
        &self,
        source: Pinned<'_>,
        offset: u64,
    ) -> Result<BoxStream<'static, Result<Bytes>>> {
        let source = self.pin(Mistake::ReadOfWhateverIsLive, source).await?;
        let offset = if self.makes(Mistake::ReadIgnoresTheOffset) { 0 } else { offset };
        self.inner.read(source, offset).await
    }
}

/// The promises that a store with this mistake breaks.
async fn broken(mistake: Mistake) -> BTreeSet<&'static str> {
    let sim =
        Sim::new().with_bucket("bucket").with_bucket("other").with_versioned_bucket("versioned");
    let store = SloppyStore(sim.clone(), mistake);
    let upload = move |bucket: &str, name: &str, stored: &Stored| {
        let stored = *stored;
        sim.upload(bucket, name, "x").unwrap();
        let edit = sim.edit(bucket, name, move |to| {
            to.content_encoding = stored.content_encoding.into();
            to.cache_control = stored.cache_control.into();
            to.storage_class = stored.storage_class.into();
            to.custom_time = Some(stored.custom_time.into());
        });
        edit.unwrap();
    };
    let fixture = Fixture::new(Arc::new(store), "bucket", "other");
    let fixture = fixture.with_versioned("versioned").with_upload(upload);
    let broken = contract::all(&fixture).await.unwrap_err();
    broken.into_iter().map(|(promise, _)| promise).collect()
}

macro_rules! found {
    ($($test:ident: $mistake:ident breaks $promise:ident)*) => { $(
        #[tokio::test(start_paused = true)]
        async fn $test() {
            let broken = broken(Mistake::$mistake).await;
            assert!(broken.contains(stringify!($promise)), "{broken:?}");
        }
    )* };
}

found! {
    a_move_without_source_fence_is_found: MoveWithoutSourceFence breaks renaming_a_stale_generation_changes_nothing
    a_move_without_metageneration_fence_is_found: MoveWithoutMetagenerationFence breaks renaming_a_stale_metageneration_changes_nothing
    a_move_over_its_destination_is_found: MoveOverTheDestination breaks renaming_onto_a_taken_name_changes_nothing
    a_move_that_forgets_metadata_is_found: MoveByCopyThatForgetsMetadata breaks a_rename_keeps_all_under_a_new_generation
    a_move_that_forgets_the_storage_class_is_found: MoveByCopyThatForgetsMetadata breaks how_an_object_is_stored_survives_a_rename
    a_delete_by_name_is_found: DeleteByName breaks deleting_a_stale_generation_changes_nothing
    a_delete_for_good_is_found: DeleteForGood breaks a_deleted_version_is_kept
    a_create_that_overwrites_is_found: CreateOverWhatIsThere breaks creating_over_an_object_changes_nothing
    an_update_without_fence_is_found: UpdateWithoutMetagenerationFence breaks an_update_of_a_stale_metageneration_changes_nothing
    an_update_that_replaces_is_found: UpdateReplacesAllMetadata breaks an_update_merges_and_removes_keys
    a_copy_without_source_fence_is_found: CopyOfWhateverIsLive breaks copying_a_stale_generation_copies_nothing
    a_read_without_pin_is_found: ReadOfWhateverIsLive breaks reading_a_replaced_generation_is_refused
    a_read_without_offset_is_found: ReadIgnoresTheOffset breaks reading_from_an_offset_yields_the_rest
    a_page_token_that_counts_is_found: PagesByNumber breaks an_object_inserted_between_pages_hides_no_other
    a_prefix_without_its_slash_is_found: ListingIgnoresTheFoldersSlash breaks listing_keeps_to_its_prefix
    metadata_cut_to_fit_are_found: MetadataIsCutToFit breaks metadata_over_8_kib_is_refused
    trimmed_names_are_found: NamesAreTrimmed breaks odd_names_are_kept_byte_for_byte
    resolved_names_are_found: NamesAreResolvedAsPaths breaks odd_names_are_kept_byte_for_byte
}
