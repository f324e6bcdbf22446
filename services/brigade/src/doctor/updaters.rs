//! Who else may update objects of the inbox: they could write the poller's marks, and so decide about a file.

use std::collections::BTreeMap;

use brigade_storage::{
    Kind,
    gcs::{GcsStore, Grant, Policy},
};

/// More are counted, not named.
const MAX_NAMED: usize = 20;

/// Roles of Google's with `storage.objects.update`.
const UPDATE: [&str; 6] = [
    "roles/editor",
    "roles/owner",
    "roles/storage.admin",
    "roles/storage.legacyObjectOwner",
    "roles/storage.objectAdmin",
    "roles/storage.objectUser",
];

/// Roles of Google's without it, and without the right to change the policy. Any other role may have it.
const NO_UPDATE: [&str; 7] = [
    "roles/storage.bucketViewer",
    "roles/storage.legacyBucketReader",
    "roles/storage.legacyBucketWriter",
    "roles/storage.legacyObjectReader",
    "roles/storage.objectCreator",
    "roles/storage.objectViewer",
    "roles/viewer",
];

/// Asks for the bucket's policy. That it may not be asked for is no fault: a poller has no need of it.
pub(super) async fn updaters(store: &GcsStore, bucket: &str, own: Option<&str>) -> String {
    let see = format!("to see it: gcloud storage buckets get-iam-policy gs://{bucket}");
    match store.policy(bucket).await {
        Ok(policy) => describe(&policy, own),
        Err(Kind::PermissionDenied) => format!(
            "not checked: this account has no storage.buckets.getIamPolicy, which a poller does not need; {see}"
        ),
        Err(kind) => format!("not checked: {kind}; {see}"),
    }
}

/// What the policy says about everybody but this account.
fn describe(policy: &Policy, own: Option<&str>) -> String {
    let own = own.map(|email| format!("serviceAccount:{email}"));
    let named = |wanted: fn(&str) -> bool| {
        let grants = policy.grants.iter().filter(|grant| wanted(&grant.role));
        by_member(grants, own.as_deref())
    };
    let mut said = match named(|role| UPDATE.contains(&role)).as_str() {
        "" => "no other account has a role of Google's with storage.objects.update".to_owned(),
        some => format!(
            "these may update objects, and so write the poller's marks and decide about a file: {some}"
        ),
    };
    let others = named(|role| !UPDATE.contains(&role) && !NO_UPDATE.contains(&role));
    if !others.is_empty() {
        said += "; these have roles that may contain storage.objects.update or let them grant it: ";
        said += &others;
    }
    said += match policy.is_uniform {
        Some(true) => "",
        Some(false) => {
            "; uniform bucket-level access is off, so access control lists may allow it too"
        }
        None => "; whether access control lists allow it too was not checked (storage.buckets.get)",
    };
    said + "; roles on managed folders, project, folder and organization are not in this policy"
}

/// `user:a@x (role, role under a condition), user:b@x (role)`.
fn by_member<'a>(grants: impl Iterator<Item = &'a Grant>, own: Option<&str>) -> String {
    let mut roles: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for grant in grants {
        let condition = if grant.is_conditional { " under a condition" } else { "" };
        // A deleted account can call nothing.
        let living = grant.members.iter().map(String::as_str);
        for member in living.filter(|it| !it.starts_with("deleted:") && Some(*it) != own) {
            roles.entry(member).or_default().push(format!("{}{condition}", grant.role));
        }
    }
    let more = roles.len().saturating_sub(MAX_NAMED);
    let named = roles.into_iter().take(MAX_NAMED);
    let mut named: Vec<String> =
        named.map(|(member, roles)| format!("{member} ({})", roles.join(", "))).collect();
    if more > 0 {
        named.push(format!("and {more} more"));
    }
    named.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLLER: &str = "poller@p.iam.gserviceaccount.com";

    fn grant(role: &str, members: &[&str]) -> Grant {
        let members = members.iter().map(|&member| member.to_owned()).collect();
        Grant { role: role.to_owned(), members, is_conditional: false }
    }

    #[test]
    fn who_may_update_objects_is_named_with_the_role_and_the_poller_itself_is_not() {
        let poller = format!("serviceAccount:{POLLER}");
        let custom = "projects/p/roles/brigade_upload";
        let uploader = Grant { is_conditional: true, ..grant(custom, &["group:up@x"]) };
        let many: Vec<String> = (100..125).map(|i| format!("user:{i}@x")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let conditional =
            Grant { is_conditional: true, ..grant("roles/storage.objectUser", &["user:a@x"]) };
        let table = [
            ("no grants, uniform", vec![], Some(true)),
            ("the poller alone", vec![grant("roles/storage.objectAdmin", &[&poller])], Some(true)),
            (
                "roles without update, lists not visible",
                NO_UPDATE.map(|role| grant(role, &["user:a@x", "allUsers"])).to_vec(),
                None,
            ),
            (
                "each role with update",
                UPDATE.map(|role| grant(role, &["user:a@x", &poller])).to_vec(),
                Some(true),
            ),
            (
                "the defaults of a new bucket with access control lists",
                vec![
                    grant(
                        "roles/storage.legacyBucketOwner",
                        &["projectEditor:p", "projectOwner:p"],
                    ),
                    grant(
                        "roles/storage.legacyObjectOwner",
                        &["projectEditor:p", "projectOwner:p"],
                    ),
                    grant("roles/storage.legacyBucketReader", &["projectViewer:p"]),
                ],
                Some(false),
            ),
            ("a custom role under a condition", vec![uploader], Some(true)),
            (
                "two roles of one account, and one that was deleted",
                vec![
                    grant("roles/storage.objectAdmin", &["user:a@x", "deleted:user:b@x?uid=1"]),
                    conditional,
                ],
                Some(true),
            ),
            ("25 accounts", vec![grant("roles/storage.admin", &many)], Some(true)),
        ];
        let lines = table.map(|(case, grants, is_uniform)| {
            let said = describe(&Policy { grants, is_uniform }, Some(POLLER));
            format!("{case}:\n  {}\n", said.replace("; ", ";\n  "))
        });
        insta::assert_snapshot!(lines.concat());
    }
}
