//! Who may do what, when roles are given. Without any role everybody may do everything.
//!
//! Which permissions a call needs: <https://cloud.google.com/storage/docs/access-control/iam-permissions>.

use std::{fmt, str::FromStr, sync::Arc};

use crate::refusal::{Kind, Refusal, Result};

/// What an account may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// `storage.objects.list`
    List,
    /// `storage.objects.get`: metadata and content, and the source of a copy.
    Get,
    /// `storage.objects.create`: uploads, and the destinations of moves and copies.
    Create,
    /// `storage.objects.update`: metadata.
    Update,
    /// `storage.objects.delete`: also to replace an object by another one.
    Delete,
    /// `storage.objects.move`: the source of a move.
    Move,
    /// `storage.buckets.get`
    GetBucket,
    /// `storage.buckets.getIamPolicy`
    GetPolicy,
    /// `storage.buckets.list`
    ListBuckets,
    /// `storage.buckets.create`
    CreateBucket,
    /// `storage.buckets.delete`
    DeleteBucket,
}

/// What one account is granted, on all buckets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// The account that has the role.
    pub account: String,
    /// What it may do.
    pub permissions: Vec<Permission>,
    /// Objects whose names begin with it, and listings of no more than these; all when it is empty.
    pub prefix: String,
}

/// What the caller of one call may do.
#[derive(Clone, Debug, Default)]
pub enum Access {
    /// Everything: no roles are given, or the call comes from behind the wire.
    #[default]
    All,
    /// What its roles say.
    Account(String, Arc<[Role]>),
    /// There is no token.
    Anonymous,
    /// The token was never given out.
    BadToken,
}

impl Permission {
    const ALL: [Self; 11] = [
        Self::List,
        Self::Get,
        Self::Create,
        Self::Update,
        Self::Delete,
        Self::Move,
        Self::GetBucket,
        Self::GetPolicy,
        Self::ListBuckets,
        Self::CreateBucket,
        Self::DeleteBucket,
    ];

    /// The name in IAM.
    pub fn name(self) -> &'static str {
        match self {
            Self::List => "storage.objects.list",
            Self::Get => "storage.objects.get",
            Self::Create => "storage.objects.create",
            Self::Update => "storage.objects.update",
            Self::Delete => "storage.objects.delete",
            Self::Move => "storage.objects.move",
            Self::GetBucket => "storage.buckets.get",
            Self::GetPolicy => "storage.buckets.getIamPolicy",
            Self::ListBuckets => "storage.buckets.list",
            Self::CreateBucket => "storage.buckets.create",
            Self::DeleteBucket => "storage.buckets.delete",
        }
    }

    /// The service's name of the resource that it is needed on.
    fn resource(self) -> &'static str {
        match self {
            Self::Get | Self::Create | Self::Update | Self::Delete | Self::Move => "object",
            Self::List
            | Self::GetBucket
            | Self::GetPolicy
            | Self::CreateBucket
            | Self::DeleteBucket => "bucket",
            Self::ListBuckets => "project",
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Permission {
    type Err = String;

    /// The name in IAM, or what is left of it without `storage.` or `storage.objects.`.
    fn from_str(given: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|permission| {
            let name = permission.name();
            let short = name.strip_prefix("storage.").unwrap_or(name);
            given == name || given == short || short.strip_prefix("objects.") == Some(given)
        });
        found.ok_or_else(|| {
            format!(
                "{given:?} is not a permission; give list, get, create, update, delete, move, or the whole name, such as \
                 storage.buckets.get"
            )
        })
    }
}

impl Access {
    /// What a caller that asked for this object by this permission learns of its absence: without the permission to list,
    /// no more than of a missing permission.
    pub(crate) fn not_found(&self, absent: Refusal, permission: Permission, name: &str) -> Refusal {
        match self.check(Permission::List, name) {
            Ok(()) => absent,
            Err(_) => self.denied(permission),
        }
    }

    /// Whether the caller has this permission on this object, or on names that begin so.
    pub(crate) fn check(&self, permission: Permission, name: &str) -> Result<()> {
        let is_granted = match self {
            Self::All => true,
            Self::BadToken | Self::Anonymous => false,
            Self::Account(account, roles) => {
                roles.iter().any(|role| role.grants(account, permission, name))
            }
        };
        if is_granted { Ok(()) } else { Err(self.denied(permission)) }
    }

    /// The roles that are given; `None` when everybody may do everything.
    pub(crate) fn roles(&self) -> Option<Arc<[Role]>> {
        match self {
            Self::Account(_, roles) => Some(Arc::clone(roles)),
            Self::All | Self::Anonymous | Self::BadToken => None,
        }
    }

    fn denied(&self, permission: Permission) -> Refusal {
        let (kind, who) = match self {
            Self::BadToken => return Refusal::new(Kind::BadToken, "Invalid Credentials"),
            Self::Account(account, _) => (Kind::PermissionDenied, account.as_str()),
            Self::Anonymous | Self::All => (Kind::Unauthenticated, "Anonymous caller"),
        };
        Refusal::new(
            kind,
            format!(
                "{who} does not have {permission} access to the Google Cloud Storage {}. Permission '{permission}' denied \
                 on resource (or it may not exist).",
                permission.resource()
            ),
        )
    }
}

impl Role {
    fn grants(&self, account: &str, permission: Permission, name: &str) -> bool {
        self.account == account
            && self.permissions.contains(&permission)
            && name.starts_with(&self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_named_in_full_or_in_short() {
        for (given, permission) in [
            ("list", Permission::List),
            ("storage.objects.move", Permission::Move),
            ("objects.get", Permission::Get),
            ("buckets.get", Permission::GetBucket),
        ] {
            assert_eq!(given.parse(), Ok(permission));
        }
        for wrong in ["", "lists", "storage.", "setIamPolicy"] {
            assert!(wrong.parse::<Permission>().is_err(), "{wrong}");
        }
    }
}
