//! Verifies that a front end protects this service: it checks signatures and removes them from the tokens that it forwards.

mod error;
mod probe;

use std::{fmt, time::Duration};

use tokio::{sync::watch, time::timeout};
use url::Url;

pub use self::error::NotProtected;
pub use self::probe::PATH as FRONT_END_PROBE;
use self::probe::Probe;
use super::{error::Refusal, mode::GuardSettings};

/// What Cloud Run's front end puts in a signature's place.
pub(super) const REMOVED: &str = "SIGNATURE_REMOVED_BY_GOOGLE";

/// How long a call waits for the check, which usually takes one round trip.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// What one process knows of its front end.
pub(super) struct FrontEndCheck {
    trust: watch::Sender<Trust>,
    probe: Probe,
}

/// Whether a token without a signature is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    /// Not known yet.
    Pending,
    Given,
    /// For ever.
    Denied,
}

impl FrontEndCheck {
    pub(super) fn new() -> Self {
        Self { trust: watch::Sender::new(Trust::Pending), probe: Probe::new() }
    }

    /// Refuses the forged tokens of every process. One of this process shows that nothing stopped it, so no token without a
    /// signature is trusted from then on, whatever becomes of the response on its way back.
    pub(super) fn reject_probe(&self, subject: &str) -> Result<(), Refusal> {
        if !Probe::is_probe(subject) {
            return Ok(());
        }
        if self.probe.is_ours(subject) {
            self.deny();
        }
        Err(Refusal::Forged)
    }

    /// Waits until it is known whether tokens without a signature are trusted.
    pub(super) async fn trusted(&self) -> Result<(), Refusal> {
        let mut trust = self.trust.subscribe();
        let known = trust.wait_for(|trust| *trust != Trust::Pending);
        match timeout(MAX_WAIT, known).await {
            Ok(Ok(trust)) if *trust == Trust::Given => Ok(()),
            _ => Err(Refusal::Unproven),
        }
    }

    /// Trusts the platform without a check.
    pub(super) fn trust_platform(&self) {
        tracing::warn!(
            "BRIGADE_AUTH=platform trusts every token whose signature was removed, and it is not verified that Cloud Run \
             removed it: a client that can call this service without Cloud Run's IAM check can forge such a token. Set \
             BRIGADE_PUBLIC_URL to this service's own URL; every start then verifies it"
        );
        self.grant();
    }

    /// Sends a forged token to this service, and trusts tokens without a signature when the front end refused it.
    pub(super) async fn verify(
        &self,
        url: &Url,
        settings: &GuardSettings,
    ) -> Result<(), NotProtected> {
        let verified = self.probe.send(url, settings).await;
        if verified.is_err() {
            self.deny();
            return verified;
        }
        if !self.grant() {
            return Err(NotProtected::Public(url.clone()));
        }
        tracing::info!(%url, "a front end protects this service: it refused a forged token");
        Ok(())
    }

    /// Whether trust is given. Once denied, it stays denied.
    fn grant(&self) -> bool {
        self.trust.send_if_modified(|trust| {
            let pending = *trust == Trust::Pending;
            if pending {
                *trust = Trust::Given;
            }
            pending
        });
        *self.trust.borrow() == Trust::Given
    }

    fn deny(&self) {
        self.trust.send_replace(Trust::Denied);
    }
}

/// Leaves out the subject by which forged tokens are known.
impl fmt::Debug for FrontEndCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrontEndCheck")
            .field("trust", &*self.trust.borrow())
            .finish_non_exhaustive()
    }
}
