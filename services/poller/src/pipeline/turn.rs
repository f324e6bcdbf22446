//! When the worker is asked about an object: beside others, after them, or alone.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{ObjectPipeline, subject::Subject};
use crate::{
    dispatch::{NoTurn, Patience, Turn},
    instance::Slot,
    losses::Isolation,
    suspects::Place,
};

/// A call that must be alone lets others join after twice the longest of its losses, and this at least.
const MIN_ALONE: Duration = Duration::from_secs(5);

/// Between two health checks of a worker that is away.
const HEALTH_INTERVAL: Duration = Duration::from_secs(1);

/// A call that may be sent.
pub(super) struct Sent<'a> {
    pub(super) turn: Turn<'a>,
    /// The worker answered a health check just before.
    pub(super) was_healthy: bool,
    pub(super) alone_for: Duration,
    /// No other suspect of this poll is alone.
    pub(super) _place: Option<Place<'a>>,
}

impl<'a> ObjectPipeline<'a> {
    /// Waits for the object's turn, in a slot.
    pub(super) async fn turn(
        self,
        subject: &Subject,
        slot: Slot,
    ) -> Result<(Sent<'a>, Slot), NoTurn> {
        let isolation = subject.losses.isolation();
        let (slot, place, end) = match isolation {
            Isolation::Last | Isolation::Alone if !self.run.is_named => {
                let waited = self.run.wait_as_suspect(slot, &subject.losses).await;
                let (slot, place, end) = waited.ok_or_else(|| self.stopped())?;
                (slot, Some(place), Some(end))
            }
            _ => (slot, None, None),
        };
        let mut patience = self.run.patience();
        patience.until = end.map_or(patience.until, |end| end.min(patience.until));
        let stop = if self.run.is_named { &self.run.abort_calls } else { &self.run.stop_dispatch };
        let turn = async {
            match isolation {
                Isolation::Alone => {
                    self.healthy(patience).await?;
                    self.instance.dispatcher.turn_alone(patience).await
                }
                Isolation::None | Isolation::Last => self.instance.dispatcher.turn(patience).await,
            }
        };
        let turn = tokio::select! {
            biased;
            () = stop.cancelled() => return Err(self.stopped()),
            turn = turn => turn?,
        };
        let sent = Sent {
            turn,
            was_healthy: isolation == Isolation::Alone,
            alone_for: (subject.losses.longest() * 2).max(MIN_ALONE),
            _place: place,
        };
        Ok((sent, slot))
    }

    /// Why there is no turn any more.
    fn stopped(self) -> NoTurn {
        if self.instance.dispatcher.is_braked() { NoTurn::Braked } else { NoTurn::Later(None) }
    }

    /// Waits until the worker answers a health check.
    async fn healthy(self, patience: Patience) -> Result<(), NoTurn> {
        while !self.instance.dispatcher.is_healthy(self.instance.clock.now()).await {
            if self.run.is_named || Instant::now() + HEALTH_INTERVAL >= patience.until {
                return Err(NoTurn::Later(None));
            }
            sleep(HEALTH_INTERVAL).await;
        }
        Ok(())
    }

    /// Whether the worker is back within a few seconds of a loss.
    pub(super) async fn comes_back(self) -> bool {
        let until = Instant::now() + self.run.plan.time_left().min(MIN_ALONE * 2);
        let patience = Patience { until, ..self.run.patience() };
        self.healthy(patience).await.is_ok()
    }
}
