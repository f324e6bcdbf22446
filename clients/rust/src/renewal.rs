//! When a call is worth another try with another token.

use tonic::Code;

use crate::{
    answer::{Answer, TransportError},
    identity::{TokenSource, attach::Attached},
};

/// Whether the answer refuses the token, and another try carries another one than that.
pub(crate) fn gets_another(
    answer: &Answer,
    identity: Option<&dyn TokenSource>,
    audience: &str,
    attached: &Attached,
) -> bool {
    refuses_token(answer) && forgets(identity, audience, attached)
}

/// Drops the token that a try carried, if it carried one, and says whether another try gets another.
pub(crate) fn forgets(
    identity: Option<&dyn TokenSource>,
    audience: &str,
    attached: &Attached,
) -> bool {
    let (Some(identity), Some(token)) = (identity, attached.token()) else {
        return false;
    };
    identity.forget(audience, token)
}

fn refuses_token(answer: &Answer) -> bool {
    match answer {
        Answer::Worker(answer) => answer.code == Code::Unauthenticated,
        Answer::Transport(TransportError::Http { status, .. }) => *status == 401,
        Answer::Transport(_) | Answer::TimedOut(_) | Answer::TooLarge { .. } => false,
    }
}
