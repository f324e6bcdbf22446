//! The token that a call carries, and the note of which one it was.

use std::sync::{Arc, OnceLock};

use http::{HeaderName, Request, header::AUTHORIZATION};

use crate::identity::{IdToken, TokenSource};

pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Cloud Run checks this one when both are there, and leaves `authorization` whole for the service itself.
const SERVERLESS: HeaderName = HeaderName::from_static("x-serverless-authorization");

/// The source of tokens, and their audience.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) source: Arc<dyn TokenSource>,
    pub(super) audience: Arc<str>,
}

/// Put into a request's extensions, it tells the caller which token the call carried.
#[derive(Clone, Debug, Default)]
pub struct Attached(Arc<OnceLock<IdToken>>);

impl Attached {
    /// The attached token; none before the call had one.
    pub fn token(&self) -> Option<&IdToken> {
        self.0.get()
    }

    fn set(&self, token: &IdToken) {
        // Shared by two calls by mistake, it keeps the token of the first.
        let _ = self.0.set(token.clone());
    }
}

/// Sets both headers, in place of any that were there.
pub(super) fn attach<B>(request: &mut Request<B>, token: &IdToken) {
    let headers = request.headers_mut();
    headers.insert(SERVERLESS, token.bearer().clone());
    headers.insert(AUTHORIZATION, token.bearer().clone());
    if let Some(attached) = request.extensions().get::<Attached>() {
        attached.set(token);
    }
}
