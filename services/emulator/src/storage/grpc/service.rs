//! The service: a request is read, the core is called, the answer is written. One method a call.

use tonic::{Request, Response, Status, async_trait};

use super::{
    bucket, control,
    convert::{self, bucket_name},
    mask::ReadMask,
    policy,
    request::{generation, query, refuse_key, rename, rewrite},
    status, update,
    wire::{self, storage_server},
};
use crate::storage::handle::Storage;
use brigade_model::{Conditions, Copied, Model, Progress, Refusal, Result as Outcome};

type Answer<T> = Result<Response<T>, Status>;

/// Serves `google.storage.v2.Storage`, and `google.storage.control.v2.StorageControl`, from a storage.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    storage: Storage,
}

impl Service {
    pub(crate) fn new(storage: Storage) -> Self {
        Self { storage }
    }

    async fn call<T, F>(&self, call: F) -> Answer<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Model) -> Outcome<T> + Send + 'static,
    {
        let outcome = self.storage.run(call).await;
        outcome.map(Response::new).map_err(|refusal| status(&refusal))
    }
}

#[async_trait]
impl storage_server::Storage for Service {
    async fn delete_bucket(&self, request: Request<wire::DeleteBucketRequest>) -> Answer<()> {
        let request = request.into_inner();
        let conditions = bucket::conditions(
            request.if_metageneration_match,
            request.if_metageneration_not_match,
        );
        self.call(move |model| model.delete_bucket(bucket_name(&request.name)?, &conditions)).await
    }

    async fn get_bucket(&self, request: Request<wire::GetBucketRequest>) -> Answer<wire::Bucket> {
        let request = request.into_inner();
        let conditions = bucket::conditions(
            request.if_metageneration_match,
            request.if_metageneration_not_match,
        );
        self.call(move |model| {
            let info = model.get_bucket(bucket_name(&request.name)?, &conditions)?;
            Ok(convert::bucket(&info))
        })
        .await
    }

    async fn create_bucket(
        &self,
        request: Request<wire::CreateBucketRequest>,
    ) -> Answer<wire::Bucket> {
        let request = request.into_inner();
        self.call(move |model| {
            let name = request.bucket_id.clone();
            let info = model.create_bucket(&name, bucket::config(request)?)?;
            Ok(convert::bucket(&info))
        })
        .await
    }

    async fn list_buckets(
        &self,
        request: Request<wire::ListBucketsRequest>,
    ) -> Answer<wire::ListBucketsResponse> {
        let request = request.into_inner();
        self.call(move |model| {
            let limit = bucket::page_size(request.page_size)?;
            let (page, next) = model.list_buckets(&request.prefix, &request.page_token, limit)?;
            Ok(wire::ListBucketsResponse {
                buckets: page.iter().map(convert::bucket).collect(),
                next_page_token: next,
                unreachable: Vec::new(),
            })
        })
        .await
    }

    async fn delete_object(&self, request: Request<wire::DeleteObjectRequest>) -> Answer<()> {
        let request = request.into_inner();
        self.call(move |model| {
            let conditions = Conditions {
                generation_match: request.if_generation_match,
                generation_not_match: request.if_generation_not_match,
                metageneration_match: request.if_metageneration_match,
                metageneration_not_match: request.if_metageneration_not_match,
            };
            let bucket = bucket_name(&request.bucket)?;
            model.delete(bucket, &request.object, generation(request.generation), &conditions)
        })
        .await
    }

    async fn get_object(&self, request: Request<wire::GetObjectRequest>) -> Answer<wire::Object> {
        let request = request.into_inner();
        self.call(move |model| {
            refuse_key(request.common_object_request_params.as_ref())?;
            if request.soft_deleted() {
                return Err(Refusal::unsupported("getting soft-deleted objects"));
            }
            let conditions = Conditions {
                generation_match: request.if_generation_match,
                generation_not_match: request.if_generation_not_match,
                metageneration_match: request.if_metageneration_match,
                metageneration_not_match: request.if_metageneration_not_match,
            };
            let mask = ReadMask::new(request.read_mask)?;
            let bucket = bucket_name(&request.bucket)?;
            let found =
                model.get(bucket, &request.object, generation(request.generation), &conditions)?;
            mask.apply(convert::object(bucket, found))
        })
        .await
    }

    async fn update_object(
        &self,
        request: Request<wire::UpdateObjectRequest>,
    ) -> Answer<wire::Object> {
        let request = request.into_inner();
        self.call(move |model| {
            refuse_key(request.common_object_request_params.as_ref())?;
            let conditions = Conditions {
                generation_match: request.if_generation_match,
                generation_not_match: request.if_generation_not_match,
                metageneration_match: request.if_metageneration_match,
                metageneration_not_match: request.if_metageneration_not_match,
            };
            let object = request.object.unwrap_or_default();
            let (resource, name) = (object.bucket.clone(), object.name.clone());
            let pinned = generation(object.generation);
            let edit = update::edit(object, request.update_mask)?;
            let bucket = bucket_name(&resource)?;
            let changed = model.update(bucket, &name, pinned, &conditions, edit)?;
            Ok(convert::object(bucket, changed))
        })
        .await
    }

    async fn list_objects(
        &self,
        request: Request<wire::ListObjectsRequest>,
    ) -> Answer<wire::ListObjectsResponse> {
        let mut request = request.into_inner();
        self.call(move |model| {
            let mask = ReadMask::new(request.read_mask.take())?;
            let parent = std::mem::take(&mut request.parent);
            let bucket = bucket_name(&parent)?;
            let page = model.list(bucket, &query(request)?)?;
            let objects = page.objects.into_iter();
            Ok(wire::ListObjectsResponse {
                objects: objects
                    .map(|object| mask.apply(convert::object(bucket, object)))
                    .collect::<Outcome<_>>()?,
                prefixes: page.prefixes,
                next_page_token: page.next,
            })
        })
        .await
    }

    async fn rewrite_object(
        &self,
        request: Request<wire::RewriteObjectRequest>,
    ) -> Answer<wire::RewriteResponse> {
        let request = request.into_inner();
        self.call(move |model| {
            let wanted = rewrite(request)?;
            let progress = model.rewrite(&wanted)?;
            Ok(rewrite_response(&wanted.bucket, progress))
        })
        .await
    }

    async fn move_object(&self, request: Request<wire::MoveObjectRequest>) -> Answer<wire::Object> {
        let request = request.into_inner();
        self.call(move |model| {
            let wanted = rename(request)?;
            let moved = model.rename(&wanted)?;
            Ok(convert::object(&wanted.bucket, moved))
        })
        .await
    }
}

#[async_trait]
impl control::storage_control_server::StorageControl for Service {
    async fn get_iam_policy(
        &self,
        request: Request<control::GetIamPolicyRequest>,
    ) -> Answer<control::Policy> {
        let request = request.into_inner();
        self.call(move |model| {
            let roles = model.bucket_roles(bucket_name(&request.resource)?)?;
            Ok(policy::policy(&request.resource, roles.as_deref()))
        })
        .await
    }
}

fn rewrite_response(bucket: &str, progress: Progress) -> wire::RewriteResponse {
    let bytes = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let (resource, token) = match progress.outcome {
        Copied::Done(object) => (Some(convert::object(bucket, *object)), String::new()),
        Copied::More(token) => (None, token),
    };
    wire::RewriteResponse {
        total_bytes_rewritten: bytes(progress.written),
        object_size: bytes(progress.size),
        done: resource.is_some(),
        rewrite_token: token,
        resource,
    }
}
