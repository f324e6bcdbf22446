//! The token that a client's calls carry, and when a call is repeated at once.

use std::sync::Arc;

use tonic::Code;
use url::Url;

use crate::{
    answer::{Answer, TransportError},
    identity::{TokenSource, attach::Attached, origin},
};

/// The tokens of one client. Without a source it sends none.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    pub(crate) source: Option<Arc<dyn TokenSource>>,
    pub(crate) audience: String,
    /// The host that is called, for spans.
    pub(crate) address: String,
}

impl Tokens {
    /// Tokens for calls to `url`, whose origin is the audience unless another is given.
    pub(crate) fn new(
        url: &Url,
        source: Option<Arc<dyn TokenSource>>,
        audience: Option<&str>,
    ) -> Self {
        let audience = audience.map_or_else(|| origin(url), str::to_owned);
        let address = url.host_str().unwrap_or_default().to_owned();
        Self { source, audience, address }
    }

    /// Makes a call. It is made once more, at once, when the callee's server did not take it (RFC 9113, section 8.7), and once
    /// more with another token when the callee refused the first one.
    pub(crate) async fn call<F: Future<Output = Answer>>(
        &self,
        call: impl Fn(Attached) -> F,
    ) -> Answer {
        let mut attached = Attached::default();
        let mut answer = call(attached.clone()).await;
        if matches!(answer, Answer::Transport(TransportError::NotSent(_))) {
            attached = Attached::default();
            answer = call(attached.clone()).await;
        }
        if refuses_token(&answer) && self.invalidate(&attached) {
            return call(Attached::default()).await;
        }
        answer
    }

    /// Invalidates the token that a call carried. Returns whether the next call would carry another one.
    pub(crate) fn invalidate(&self, attached: &Attached) -> bool {
        let (Some(source), Some(token)) = (&self.source, attached.token()) else {
            return false;
        };
        source.invalidate(&self.audience, token)
    }
}

fn refuses_token(answer: &Answer) -> bool {
    match answer {
        Answer::Worker(answer) => answer.code == Code::Unauthenticated,
        Answer::Transport(TransportError::Http { status, .. }) => *status == 401,
        Answer::Transport(_) | Answer::TimedOut(_) | Answer::TooLarge { .. } => false,
    }
}
