//! Tokens that were verified, so that a repeated one costs a hash and not a signature.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use sha2::{Digest as _, Sha256};

use super::claims::Caller;

/// More callers than any deployment has; past it, the tokens soonest to expire make room.
pub(super) const MAX_TOKENS: usize = 1024;

/// Verified tokens by their SHA-256. Refused ones are not kept: there is no end to them.
#[derive(Debug, Default)]
pub(super) struct Verified {
    tokens: Mutex<HashMap<[u8; 32], Entry>>,
}

#[derive(Clone, Debug)]
struct Entry {
    caller: Caller,
    kid: String,
    until: i64,
}

impl Verified {
    /// Who this token belongs to, if it was verified, has not expired, and its key is still published.
    pub(super) fn get(
        &self,
        token: &str,
        now: i64,
        published: impl Fn(&str) -> bool,
    ) -> Option<Caller> {
        let digest = digest(token);
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = tokens.get(&digest)?;
        (now < entry.until && published(&entry.kid)).then(|| entry.caller.clone())
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.len()
    }

    /// Keeps a verified token until then.
    pub(super) fn put(&self, token: &str, kid: String, caller: Caller, until: i64, now: i64) {
        let digest = digest(token);
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if tokens.len() >= MAX_TOKENS {
            tokens.retain(|_, entry| now < entry.until);
        }
        if tokens.len() >= MAX_TOKENS
            && let Some(soonest) = tokens
                .iter()
                .min_by_key(|(_, entry)| entry.until)
                .map(|(key, _)| *key)
        {
            tokens.remove(&soonest);
        }
        tokens.insert(digest, Entry { caller, kid, until });
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}
