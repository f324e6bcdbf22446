//! Who has which role on a bucket. Only the doctor asks for it: no poll needs it.

use google_cloud_iam_v1::model::GetPolicyOptions;

use super::{GcsStore, call::Call, convert::bucket_path};
use crate::error::{Error, Kind, Operation};

/// The version of policies in which conditional roles have their own names.
const WITH_CONDITIONS: i32 = 3;

/// What a bucket's own policy grants. Roles on its project, folder, organization and managed
/// folders are in force too, and not in here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// The grants.
    pub grants: Vec<Grant>,
    /// Whether access control lists are off; `None` when this caller may not see it.
    pub is_uniform: Option<bool>,
}

/// A role, and who has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// Such as `roles/storage.objectAdmin`.
    pub role: String,
    /// Such as `user:a@example.com`, `allUsers`.
    pub members: Vec<String>,
    /// Whether it holds under a condition alone, such as a prefix of names.
    pub is_conditional: bool,
}

impl GcsStore {
    /// The policy of the bucket of this name.
    ///
    /// # Errors
    /// Why the call failed. It takes `storage.buckets.getIamPolicy`.
    pub async fn policy(&self, bucket: &str) -> Result<Policy, Kind> {
        // About the bucket as a whole, as a listing is; no other operation is.
        let call = Call { operation: Operation::List, bucket, name: "" };
        let kind = |error: Error| error.kind().clone();
        call.check_address().map_err(kind)?;
        let (control, path) = (&self.clients.control, bucket_path(bucket));
        let options = GetPolicyOptions::new().set_requested_policy_version(WITH_CONDITIONS);
        let policy = control.get_iam_policy().set_resource(&path).set_options(options);
        let policy = call.ask(policy.send()).await.map_err(kind)?;
        let found = call.ask(control.get_bucket().set_name(&path).send()).await.ok();
        let is_uniform = found.map(|found| {
            let config = found.iam_config.and_then(|it| it.uniform_bucket_level_access);
            config.is_some_and(|it| it.enabled)
        });
        let grants = policy.bindings.into_iter().map(|binding| Grant {
            role: binding.role,
            members: binding.members,
            is_conditional: binding.condition.is_some(),
        });
        Ok(Policy { grants: grants.collect(), is_uniform })
    }
}
