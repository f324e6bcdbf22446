//! When a call is repeated with another token.

use tonic::Code;

use crate::{
    answer::{Answer, TransportError},
    identity::{TokenSource, attach::Attached},
};

/// Whether the answer refuses the token and the next call would carry another one.
pub(crate) fn should_renew(
    answer: &Answer,
    identity: Option<&dyn TokenSource>,
    audience: &str,
    attached: &Attached,
) -> bool {
    refuses_token(answer) && invalidate(identity, audience, attached)
}

/// Invalidates the token that a call carried. Returns whether the next call would carry another one.
pub(crate) fn invalidate(
    identity: Option<&dyn TokenSource>,
    audience: &str,
    attached: &Attached,
) -> bool {
    let (Some(identity), Some(token)) = (identity, attached.token()) else {
        return false;
    };
    identity.invalidate(audience, token)
}

fn refuses_token(answer: &Answer) -> bool {
    match answer {
        Answer::Worker(answer) => answer.code == Code::Unauthenticated,
        Answer::Transport(TransportError::Http { status, .. }) => *status == 401,
        Answer::Transport(_) | Answer::TimedOut(_) | Answer::TooLarge { .. } => false,
    }
}
