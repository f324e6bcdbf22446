//! Holds, which only the contract sets: on objects of its own.

use google_cloud_storage::model::{Object as Resource, UpdateObjectRequest};
use google_cloud_wkt::FieldMask;

use super::{
    GcsStore,
    call::Call,
    convert::{self, bucket_path},
};
use crate::{
    error::{Operation, Result},
    object::Object,
};

impl GcsStore {
    /// Sets or releases the temporary hold of exactly this generation.
    ///
    /// # Errors
    /// As those of an [update](crate::Bucket::update).
    pub async fn set_temporary_hold(&self, object: &Object, is_held: bool) -> Result<Object> {
        let call =
            Call { operation: Operation::Update, bucket: &object.bucket, name: &object.name };
        call.check_address()?;
        let resource = Resource::new()
            .set_bucket(bucket_path(&object.bucket))
            .set_name(&object.name)
            .set_temporary_hold(is_held);
        let request = UpdateObjectRequest::new()
            .set_object(resource)
            .set_if_generation_match(object.generation)
            .set_update_mask(FieldMask::default().set_paths(["temporary_hold"]));
        let updated = self.clients.control.update_object().with_request(request).send();
        call.ask(updated).await.map(convert::object)
    }
}
