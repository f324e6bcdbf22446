//! Whether a front end stands before this service, which checks signatures and removes them before we see a token.

mod error;
mod probe;

use std::{fmt, time::Duration};

use tokio::{sync::watch, time::timeout};
use url::Url;

pub use self::error::NotFronted;
pub use self::probe::PATH as FRONT_END_PROBE;
use self::probe::Probe;
use super::{error::Refusal, mode::GuardSettings};

/// What Cloud Run's front end puts in a signature's place.
pub(super) const REMOVED: &str = "SIGNATURE_REMOVED_BY_GOOGLE";

/// How long a call waits for the proof. One round trip is the rule.
const PATIENCE: Duration = Duration::from_secs(30);

/// What one process knows of the front end before it.
pub(super) struct Front {
    belief: watch::Sender<Belief>,
    probe: Probe,
}

/// Whether a token without a signature is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Belief {
    /// It is not known yet.
    Pending,
    Given,
    /// For good.
    Denied,
}

impl Front {
    pub(super) fn new() -> Self {
        Self {
            belief: watch::Sender::new(Belief::Pending),
            probe: Probe::new(),
        }
    }

    /// Refuses the forged tokens of this process and of others like it. One of our own says that nothing stopped it, so
    /// no token of its kind is believed from then on, whatever becomes of the answer on its way back.
    pub(super) fn recognise(&self, subject: &str) -> Result<(), Refusal> {
        if !Probe::is_one(subject) {
            return Ok(());
        }
        if self.probe.is_ours(subject) {
            self.deny();
        }
        Err(Refusal::Forged)
    }

    /// Waits until it is known whether tokens without a signature are believed.
    pub(super) async fn believed(&self) -> Result<(), Refusal> {
        let mut belief = self.belief.subscribe();
        let known = belief.wait_for(|belief| *belief != Belief::Pending);
        match timeout(PATIENCE, known).await {
            Ok(Ok(belief)) if *belief == Belief::Given => Ok(()),
            _ => Err(Refusal::Unproven),
        }
    }

    /// Believes without a proof.
    pub(super) fn rely_on_the_platform(&self) {
        tracing::warn!(
            "BRIGADE_AUTH=platform believes every token whose signature was removed, and nothing proves that Cloud Run \
             removed it: if anybody can call this service without Cloud Run's IAM check, anybody can forge such a token. \
             Set BRIGADE_PUBLIC_URL to this service's own URL, and every start proves it"
        );
        self.give();
    }

    /// Sends a forged token to this service and believes others like it when it was refused on its way.
    pub(super) async fn prove(
        &self,
        url: &Url,
        settings: &GuardSettings,
    ) -> Result<(), NotFronted> {
        let proven = self.probe.send(url, settings).await;
        if proven.is_err() {
            self.deny();
            return proven;
        }
        if !self.give() {
            return Err(NotFronted::Public(url.clone()));
        }
        tracing::info!(%url, "a front end stands before this service: it refused a forged token");
        Ok(())
    }

    /// Whether belief is given: what was denied stays so.
    fn give(&self) -> bool {
        self.belief.send_if_modified(|belief| {
            let pending = *belief == Belief::Pending;
            if pending {
                *belief = Belief::Given;
            }
            pending
        });
        *self.belief.borrow() == Belief::Given
    }

    fn deny(&self) {
        self.belief.send_replace(Belief::Denied);
    }
}

/// Leaves out what the forged tokens are known by.
impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Front")
            .field("belief", &*self.belief.borrow())
            .finish_non_exhaustive()
    }
}
