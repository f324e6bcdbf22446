//! Which token went with a call.

use std::sync::{Arc, OnceLock};

use crate::identity::IdToken;

/// A caller that wants to know which token went with its call puts one of these into the request's extensions.
#[derive(Clone, Debug, Default)]
pub struct Attached(Arc<OnceLock<IdToken>>);

impl Attached {
    /// The token that was attached; none before the call had one.
    pub fn token(&self) -> Option<&IdToken> {
        self.0.get()
    }

    pub(super) fn set(&self, token: &IdToken) {
        // One that serves two calls by mistake keeps the token of the first.
        let _ = self.0.set(token.clone());
    }
}
