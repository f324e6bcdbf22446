//! What a verdict becomes when it meets the storage.

use brigade_proto::v1::Settlement;
use brigade_storage::{Error, Object, Operation};

use super::{ObjectPipeline, superseded};
use crate::{
    error::PollError,
    report::Settled,
    settle::{Placement, REFUSED},
};

impl ObjectPipeline<'_> {
    /// What the verdict became when it met the storage.
    pub(super) async fn placed(
        self,
        object: &Object,
        verdict: Settled,
        placed: Result<Placement, Error>,
    ) -> Result<Settled, PollError> {
        let storage = &self.course.storage;
        let settled = match placed {
            Ok(Placement::Moved(destination)) => {
                storage.success();
                return Ok(Settled {
                    destination,
                    ..verdict
                });
            }
            Ok(Placement::Overruled { by, destination }) => {
                storage.success();
                return Ok(Settled {
                    destination,
                    ..Settled::of(&by)
                });
            }
            Ok(Placement::Superseded) => superseded(),
            Ok(Placement::Held(why)) => {
                let held = Settled::new(Settlement::Held).because(&why);
                self.put_off(object, &verdict, held).await
            }
            Err(error) if error.needs_fix() => return Err(error.into()),
            Err(error) if error.is_transient() && storage.failure() => return Err(error.into()),
            Err(error) => {
                let stays = Settled::new(Settlement::Retry).because(&error.to_string());
                match error.operation() {
                    _ if error.is_transient() => stays,
                    Operation::Move | Operation::Rewrite | Operation::Delete => {
                        self.put_off(object, &verdict, stays).await
                    }
                    // Nothing more can be written on it.
                    Operation::Update => stays.kept_in_mind(),
                    Operation::List | Operation::Get | Operation::Create | Operation::Read => stays,
                }
            }
        };
        Ok(Settled {
            status_code: verdict.status_code,
            summary: verdict.summary,
            outputs: verdict.outputs,
            labels: verdict.labels,
            ..settled
        })
    }

    /// Leaves an object alone for a while that storage refuses to move, so that it keeps no other from its turn, and no
    /// worker at work.
    async fn put_off(self, object: &Object, verdict: &Settled, stays: Settled) -> Settled {
        let is_accepted = verdict.settlement == Settlement::Processed;
        match self.parts.settler.put_off(object, is_accepted).await {
            Ok(again_in) => Settled { again_in, ..stays },
            Err(error) => {
                tracing::warn!(%error, "the next try of an object could not be written on it; this instance keeps it in mind");
                stays.kept_in_mind()
            }
        }
    }
}

impl Settled {
    fn kept_in_mind(self) -> Self {
        Self {
            again_in: Some(REFUSED),
            is_unwritten: true,
            ..self
        }
    }
}
