//! What an outcome becomes when storage moves its object, or does not.

use brigade_proto::v1::Settlement;
use brigade_storage::{Error, Object, Operation};

use super::ObjectPipeline;
use crate::{error::PollError, outcome::Outcome, settle::Placement};

impl ObjectPipeline<'_> {
    pub(super) async fn place(
        self,
        object: &Object,
        outcome: Outcome,
        placed: Result<Placement, Error>,
    ) -> Result<Outcome, PollError> {
        let storage = &self.run.storage;
        match placed {
            Ok(Placement::Moved(destination)) => {
                storage.record_success();
                Ok(outcome.moved_to(destination))
            }
            Ok(Placement::Overruled { by, destination }) => {
                storage.record_success();
                Ok(Outcome::recorded(object, &by).moved_to(destination))
            }
            Ok(Placement::Superseded) => Ok(outcome.superseded_by_another()),
            Ok(Placement::Held(why)) => {
                Ok(self.defer_move(object, outcome, Settlement::Held, &why).await)
            }
            Err(error) if error.needs_fix() => Err(error.into()),
            Err(error) if error.is_transient() && storage.record_failure() => Err(error.into()),
            Err(error) => Ok(self.stay(object, outcome, &error).await),
        }
    }

    /// Storage refuses to move the object, or does not answer.
    async fn stay(self, object: &Object, outcome: Outcome, error: &Error) -> Outcome {
        let why = error.to_string();
        let retry = Settlement::Retry;
        match error.operation() {
            _ if error.is_transient() => outcome.not_moved(retry, &why),
            Operation::Move | Operation::Rewrite | Operation::Delete => {
                self.defer_move(object, outcome, retry, &why).await
            }
            // Nothing more can be written on it.
            Operation::Update => deferred_in_memory(outcome.not_moved(retry, &why)),
            _ => outcome.not_moved(retry, &why),
        }
    }

    /// Leaves the object alone for a while, so that it keeps no other from its turn, and no worker at work.
    async fn defer_move(
        self,
        object: &Object,
        outcome: Outcome,
        settlement: Settlement,
        why: &str,
    ) -> Outcome {
        let is_accepted = outcome.settlement() == Settlement::Processed;
        let accepted = is_accepted.then_some(&*outcome.settled.outputs);
        let deferred = self.instance.settler.defer_move(object, accepted).await;
        let mut outcome = outcome.not_moved(settlement, why);
        match deferred {
            Ok(pause) => {
                outcome.retry_after = pause;
                outcome
            }
            Err(error) => {
                tracing::warn!(%error, "could not write the time of an object's next try on it; this instance remembers it");
                deferred_in_memory(outcome)
            }
        }
    }
}

fn deferred_in_memory(outcome: Outcome) -> Outcome {
    Outcome { is_unwritten: true, ..outcome }
}
