//! The port over the official client.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _};
use google_cloud_storage::model::{Object as Resource, RewriteObjectRequest};

use super::{
    Clients,
    call::{ATTEMPT_LIMIT, Call},
    convert::{self, bucket_path, merge},
    payload::Payload,
    read::{self, Opened},
    request,
};
use crate::{
    Bucket, ListRequest, NewObject, Page, RewriteStep,
    error::{Kind, Operation, Result},
    object::{Metadata, Object, Pinned},
};

/// The slowest uplink that an upload is given time for, in bytes a second.
const SLOWEST_UPLOAD: u64 = 1 << 20;

/// One bucket on Cloud Storage.
pub(super) struct GcsBucket {
    clients: Arc<Clients>,
    name: String,
    path: String,
}

// === impl GcsBucket ===

impl GcsBucket {
    pub(super) fn new(clients: Arc<Clients>, name: &str) -> Self {
        Self { clients, name: name.to_owned(), path: bucket_path(name) }
    }

    /// A call about `name`, which is safe to be put into a request.
    fn call<'a>(&'a self, operation: Operation, name: &'a str) -> Result<Call<'a>> {
        let call = Call { operation, bucket: &self.name, name };
        call.check_address()?;
        Ok(call)
    }

    /// The live generation on behalf of another call, if it is the one meant.
    async fn look(&self, call: Call<'_>, source: Pinned<'_>) -> Result<Resource> {
        let request = request::get_pinned(&self.path, source);
        call.ask(self.clients.control.get_object().with_request(request).send()).await
    }

    /// The same, if its metadata are the ones meant too.
    async fn look_at_metageneration(
        &self,
        call: Call<'_>,
        source: Pinned<'_>,
        metageneration: i64,
    ) -> Result<Resource> {
        let request =
            request::get_pinned(&self.path, source).set_if_metageneration_match(metageneration);
        call.ask(self.clients.control.get_object().with_request(request).send()).await
    }

    /// The copy's request, with the metadata merged when there are any.
    async fn rewrite_request(
        &self,
        call: Call<'_>,
        source: Pinned<'_>,
        request: RewriteObjectRequest,
        metadata: Option<&Metadata>,
    ) -> Result<RewriteObjectRequest> {
        match metadata {
            None => Ok(request),
            Some(metadata) => {
                let found = self.look(call, source).await?;
                Ok(request::with_metadata(request, found, metadata))
            }
        }
    }
}

#[async_trait]
impl Bucket for GcsBucket {
    fn name(&self) -> &str {
        &self.name
    }

    async fn list(&self, request: &ListRequest) -> Result<Page> {
        let call = self.call(Operation::List, "")?;
        let request = request::list(&self.path, request);
        let page =
            call.ask(self.clients.control.list_objects().with_request(request).send()).await?;
        Ok(Page {
            objects: page.objects.into_iter().map(convert::object).collect(),
            next: page.next_page_token,
        })
    }

    async fn get(&self, name: &str) -> Result<Object> {
        let call = self.call(Operation::Get, name)?;
        let request = request::get(&self.path, name);
        let found =
            call.ask(self.clients.control.get_object().with_request(request).send()).await?;
        Ok(convert::object(found))
    }

    async fn create(&self, name: &str, replaces: i64, new: NewObject) -> Result<Object> {
        let call = self.call(Operation::Create, name)?;
        let limit = upload_limit(new.content.size());
        let checksum = new.content.crc32c();
        // One request whatever the size: a resumable upload would be several, each with its own ambiguity. The known
        // checksum goes before the content, and the service refuses what does not match it.
        let mut upload = self
            .clients
            .data
            .write_object(&self.path, name, Payload::from(new.content))
            .set_if_generation_match(replaces)
            .set_metadata(merge([], &new.metadata))
            .with_known_crc32c(checksum)
            .with_resumable_upload_threshold(usize::MAX);
        if !new.content_type.is_empty() {
            upload = upload.set_content_type(new.content_type);
        }
        let created = call.ask_within(limit, Box::pin(upload.send_unbuffered())).await?;
        Ok(convert::object(created))
    }

    async fn update(
        &self,
        source: Pinned<'_>,
        metageneration: i64,
        metadata: &Metadata,
    ) -> Result<Object> {
        let call = self.call(Operation::Update, source.name)?;
        let request = if metadata.is_empty() {
            let found = self.look_at_metageneration(call, source, metageneration);
            return Ok(convert::object(found.await?));
        } else if metadata.keys().all(|key| request::is_maskable(key)) {
            request::update(&self.path, source, metageneration, metadata)
        } else {
            let found = self.look_at_metageneration(call, source, metageneration);
            let merged = merge(found.await?.metadata, metadata);
            request::replace_metadata(&self.path, source, metageneration, &merged)
        };
        let updated =
            call.ask(self.clients.control.update_object().with_request(request).send()).await?;
        Ok(convert::object(updated))
    }

    async fn rename(
        &self,
        source: Pinned<'_>,
        metageneration: i64,
        destination: &str,
    ) -> Result<Object> {
        let call = self.call(Operation::Move, source.name)?;
        self.call(Operation::Move, destination)?;
        let request = request::rename(&self.path, source, metageneration, destination);
        let moved =
            call.ask(self.clients.control.move_object().with_request(request).send()).await?;
        Ok(convert::object(moved))
    }

    async fn rewrite(
        &self,
        source: Pinned<'_>,
        bucket: &str,
        destination: &str,
        metadata: Option<&Metadata>,
        token: Option<&str>,
    ) -> Result<RewriteStep> {
        let call = self.call(Operation::Rewrite, source.name)?;
        let to = Call { bucket, name: destination, ..call };
        to.check_address()?;
        let request =
            request::rewrite(&self.path, source, &bucket_path(bucket), destination, token);
        let request = self.rewrite_request(call, source, request, metadata).await?;
        let step =
            call.ask(self.clients.control.rewrite_object().with_request(request).send()).await?;
        match (step.done, step.resource) {
            (true, Some(copy)) => Ok(RewriteStep::Done(Box::new(convert::object(copy)))),
            (false, _) if !step.rewrite_token.is_empty() => {
                Ok(RewriteStep::More(step.rewrite_token))
            }
            _ => {
                Err(call.failed(Kind::Unknown, "the answer tells neither a copy nor how to go on"))
            }
        }
    }

    async fn delete(&self, source: Pinned<'_>) -> Result<()> {
        let call = self.call(Operation::Delete, source.name)?;
        let request = request::delete(&self.path, source);
        call.ask(self.clients.control.delete_object().with_request(request).send()).await
    }

    async fn read(
        &self,
        source: Pinned<'_>,
        offset: u64,
    ) -> Result<BoxStream<'static, Result<Bytes>>> {
        let call = self.call(Operation::Read, source.name)?;
        let opened = read::open(&self.clients.data, &self.path, call, source, offset);
        match Box::pin(opened).await {
            // An account that may not list is answered 403 about a generation that is gone. Its live object tells that from a
            // missing permission.
            Err(error) if *error.kind() == Kind::PermissionDenied => {
                match self.look(call, source).await {
                    Err(look) if look.is_precondition() || look.is_not_found() => Err(look),
                    Ok(_) | Err(_) => Err(error),
                }
            }
            Err(error) => Err(error),
            Ok(Opened::Stream(stream)) => Ok(stream),
            Ok(Opened::NothingThere(error)) => {
                // Right after the last byte there is nothing left to read, which is no error. The answer does not say
                // how large the object is, so look.
                let found = self.look(call, source).await?;
                if convert::object(found).size == offset {
                    Ok(stream::empty().boxed())
                } else {
                    Err(error)
                }
            }
        }
    }
}

impl fmt::Debug for GcsBucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GcsBucket").field("name", &self.name).finish_non_exhaustive()
    }
}

fn upload_limit(bytes: u64) -> Duration {
    ATTEMPT_LIMIT + Duration::from_secs(bytes / SLOWEST_UPLOAD)
}
