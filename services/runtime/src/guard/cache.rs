//! A cache of verified tokens: a repeated token costs a comparison instead of a signature check.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::traced::Admitted;

/// More callers than any deployment has; past it, the token that expires soonest is evicted.
pub(super) const MAX_TOKENS: usize = 1024;

/// The last characters of a token: 192 bits of its signature. A client that knows them of another caller's token knows the token,
/// so comparing the rest in variable time reveals nothing.
type Tail = [u8; 32];

/// Verified tokens, found by their tails and compared whole. Hashing a token would cost half of what the guard adds to a call, and
/// hide nothing that this process does not hold anyway. Refused tokens are not cached: their number has no limit.
#[derive(Default)]
pub(super) struct TokenCache {
    tokens: Mutex<HashMap<Tail, Entry>>,
}

struct Entry {
    token: Box<str>,
    admitted: Admitted,
    kid: String,
    until: i64,
}

impl TokenCache {
    /// The caller of this token, if it was verified, has not expired, and its key is still published.
    pub(super) fn get(
        &self,
        token: &str,
        now: i64,
        published: impl Fn(&str) -> bool,
    ) -> Option<Admitted> {
        let tokens = self.lock();
        let entry = tokens.get(&tail(token))?;
        let good = *entry.token == *token && now < entry.until && published(&entry.kid);
        good.then(|| entry.admitted.clone())
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Caches a verified token until a time in seconds since 1970.
    pub(super) fn put(&self, token: &str, kid: String, admitted: Admitted, until: i64, now: i64) {
        let tail = tail(token);
        let mut tokens = self.lock();
        if tokens.len() >= MAX_TOKENS {
            tokens.retain(|_, entry| now < entry.until);
        }
        if tokens.len() >= MAX_TOKENS
            && let Some(soonest) =
                tokens.iter().min_by_key(|(_, entry)| entry.until).map(|(key, _)| *key)
        {
            tokens.remove(&soonest);
        }
        let token = token.into();
        let entry = Entry { token, admitted, kid, until };
        tokens.insert(tail, entry);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Tail, Entry>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache").field("tokens", &self.lock().len()).finish()
    }
}

fn tail(token: &str) -> Tail {
    let mut tail = Tail::default();
    for (to, from) in tail.iter_mut().zip(token.bytes().rev()) {
        *to = from;
    }
    tail
}
