//! Who may see what the poller has, and who may move failed objects back.

use brigade_runtime::{
    guard::Right,
    settings::{Given, Problems, emails, form, names, optional},
};

/// What readers may call, and operators too.
const READING: &[&str] = &[
    "/brigade.v1.InboxService/GetStatus",
    "/brigade.v1.InboxService/ListObjects",
    "/brigade.v1.InboxService/GetObject",
    "/brigade.v1.InboxService/WatchEvents",
    "/inbox/status",
    "/inbox/objects",
    "/inbox/object",
    "/metrics",
];
/// What operators alone may call.
const OPERATING: &[&str] = &["/brigade.v1.InboxService/ReplayObjects", "/inbox/replay"];

/// The accounts with rights, as given.
#[derive(Clone, Debug, clap::Args)]
pub struct AccessArgs {
    /// The emails of the accounts that may see status, objects and events, separated by commas [default: none]
    #[arg(long, env = names::READERS, value_name = "EMAILS", default_value = "", hide_default_value = true,
        value_parser = optional(form("emails, separated by commas", emails)))]
    readers: Given<Option<Vec<String>>>,
    /// The emails of the accounts that may also move failed objects back, separated by commas [default: none]
    #[arg(long, env = names::OPERATORS, value_name = "EMAILS", default_value = "", hide_default_value = true,
        value_parser = optional(form("emails, separated by commas", emails)))]
    operators: Given<Option<Vec<String>>>,
}

// === impl AccessArgs ===

impl AccessArgs {
    /// The rights, or every problem; nothing when there was one.
    pub fn resolve(&self, problems: &mut Problems) -> Option<Vec<Right>> {
        let (readers, operators) = (self.readers.get(problems), self.operators.get(problems));
        Some(rights(readers?.unwrap_or_default(), operators?.unwrap_or_default()))
    }
}

/// The rights of these accounts. To the routes of the inbox no other account has any.
pub fn rights(readers: Vec<String>, operators: Vec<String>) -> Vec<Right> {
    vec![
        Right { setting: names::READERS, emails: readers, routes: READING },
        Right { setting: names::OPERATORS, emails: operators.clone(), routes: READING },
        Right { setting: names::OPERATORS, emails: operators, routes: OPERATING },
    ]
}
