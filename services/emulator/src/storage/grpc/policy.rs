//! The emulator's roles as a bucket's policy.

use super::control::{Binding, Expr, Policy};
use brigade_model::{Permission, Role};

/// Policies with conditions have this version.
const VERSION: i32 = 3;

/// Google's roles by what they allow about objects. Other sets of permissions are custom roles.
const PREDEFINED: [(&str, &[Permission]); 3] = [
    ("roles/storage.objectViewer", &[Permission::Get, Permission::List]),
    ("roles/storage.objectCreator", &[Permission::Create]),
    (
        "roles/storage.objectUser",
        &[
            Permission::List,
            Permission::Get,
            Permission::Create,
            Permission::Update,
            Permission::Delete,
            Permission::Move,
        ],
    ),
];

/// The policy of the bucket with this resource name. Without roles everybody may do everything.
pub(super) fn policy(resource: &str, roles: Option<&[Role]>) -> Policy {
    let bindings = match roles {
        Some(roles) => roles.iter().map(|role| binding(resource, role)).collect(),
        None => vec![Binding {
            role: "roles/storage.admin".to_owned(),
            members: vec!["allUsers".to_owned()],
            condition: None,
        }],
    };
    Policy { version: VERSION, bindings }
}

fn binding(resource: &str, role: &Role) -> Binding {
    let given = &role.permissions;
    let predefined = PREDEFINED.into_iter().find(|(_, permissions)| {
        permissions.len() == given.len() && permissions.iter().all(|it| given.contains(it))
    });
    let custom = || {
        let names = given.iter().map(|it| it.name().replace("storage.", "").replace('.', "_"));
        format!("projects/brigade-dev/roles/{}", names.collect::<Vec<_>>().join("."))
    };
    Binding {
        role: predefined.map_or_else(custom, |(name, _)| name.to_owned()),
        members: vec![format!("serviceAccount:{}", role.account)],
        condition: (!role.prefix.is_empty()).then(|| Expr {
            title: "prefix".to_owned(),
            expression: format!("resource.name.startsWith(\"{resource}/objects/{}\")", role.prefix),
        }),
    }
}
