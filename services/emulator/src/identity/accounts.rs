//! The service accounts that are known, their key files and their access tokens.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aws_lc_rs::digest::{SHA256, digest};

use super::key::Key;

/// What access tokens begin with, before their number.
const ACCESS_TOKEN: &str = "ya29.emulator-";

/// The known service accounts.
#[derive(Debug)]
pub(super) struct Accounts {
    default: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By email; a key once a key file was handed out.
    keys: BTreeMap<String, Option<Arc<Key>>>,
    /// The account of each access token, by number from 1.
    access_tokens: Vec<String>,
}

impl Accounts {
    /// The first one is the machine's own.
    pub(super) fn new(emails: &[String]) -> Self {
        let keys = emails.iter().map(|email| (email.clone(), None)).collect();
        Self {
            default: emails.first().cloned().unwrap_or_default(),
            state: Mutex::new(State { keys, ..State::default() }),
        }
    }

    /// The account of this name; `default` is the machine's own.
    pub(super) fn find(&self, name: &str) -> Option<String> {
        let name = if name == "default" { self.default.as_str() } else { name };
        self.lock().keys.get_key_value(name).map(|(email, _)| email.clone())
    }

    /// The key in this account's key file, which is made with the first file. An account that was not known is then.
    pub(super) fn key_for(&self, email: &str) -> Arc<Key> {
        let mut state = self.lock();
        let key = state.keys.entry(email.to_owned()).or_default();
        Arc::clone(key.get_or_insert_with(|| Arc::new(Key::generate())))
    }

    /// The key in this account's key file, if one was handed out.
    pub(super) fn key_of(&self, email: &str) -> Option<Arc<Key>> {
        self.lock().keys.get(email)?.clone()
    }

    /// A new access token of this account. It is no secret: the emulator gives one to every caller.
    pub(super) fn access_token(&self, email: &str) -> String {
        let mut state = self.lock();
        state.access_tokens.push(email.to_owned());
        format!("{ACCESS_TOKEN}{}", state.access_tokens.len())
    }

    /// The account of this access token; none for what was never issued as one, such as an ID token.
    pub(super) fn holder(&self, token: &str) -> Option<String> {
        let number: usize = token.strip_prefix(ACCESS_TOKEN)?.parse().ok()?;
        let state = self.lock();
        state.access_tokens.get(number.checked_sub(1)?).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An account's number: the same for an email in every run, and 21 digits long as Google's are.
pub(super) fn subject(email: &str) -> String {
    let digest = digest(&SHA256, email.as_bytes());
    let digits = digest.as_ref().iter().take(20).map(|byte| char::from(b'0' + byte % 10));
    std::iter::once('1').chain(digits).collect()
}
