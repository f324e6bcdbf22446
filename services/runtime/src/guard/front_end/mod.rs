//! Verifies that a front end protects this service: it checks signatures and removes them from the tokens that it forwards.

mod error;
mod probe;

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, timeout},
};
use url::Url;

pub use self::error::NotProtected;
pub use self::probe::PATH as FRONT_END_PROBE;
use self::probe::Probe;
use super::{error::Refusal, mode::GuardSettings};
use crate::settings::url;

/// What Cloud Run's front end puts in a signature's place.
pub(super) const REMOVED: &str = "SIGNATURE_REMOVED_BY_GOOGLE";

/// How long a call waits for the check, which usually takes one round trip.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// How long a check holds. A service can be made public at any time, and nothing tells it.
const VALID_FOR: Duration = Duration::from_mins(5);

/// After a check that failed, the next one starts no sooner.
const RETRY_AFTER: Duration = Duration::from_mins(1);

/// What one process knows of its front end.
pub(super) struct FrontEndCheck {
    state: watch::Sender<State>,
    probe: Probe,
    settings: GuardSettings,
    /// This service's own URL, once a check has begun.
    url: OnceLock<Url>,
}

#[derive(Clone, Copy)]
struct State {
    trust: Trust,
    /// From then on the next call whose signature was removed starts another check.
    due: Instant,
    checking: bool,
}

/// Whether a token without a signature is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    /// Not known: a check is under way, or none has begun.
    Pending,
    Given,
    Denied,
}

impl FrontEndCheck {
    pub(super) fn new(settings: GuardSettings) -> Self {
        let state = State { trust: Trust::Pending, due: Instant::now(), checking: false };
        let state = watch::Sender::new(state);
        Self { state, probe: Probe::new(), settings, url: OnceLock::new() }
    }

    /// Refuses the forged tokens of every process. One of this process shows that nothing stopped it, so no token without a
    /// signature is trusted until another check succeeds, whatever becomes of the response on its way back.
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
    pub(super) async fn trusted(self: &Arc<Self>) -> Result<(), Refusal> {
        self.check_again_if_due();
        let mut state = self.state.subscribe();
        let known = state.wait_for(|state| state.trust != Trust::Pending);
        match timeout(MAX_WAIT, known).await {
            Ok(Ok(state)) if state.trust == Trust::Given => Ok(()),
            _ => Err(Refusal::Unproven),
        }
    }

    /// A task of its own, so that it survives a caller that disconnects. The calls wait for it: on Cloud Run a process without a
    /// call in flight has no processor to finish it.
    fn check_again_if_due(self: &Arc<Self>) {
        let Some(url) = self.url.get() else {
            return;
        };
        let (check, url, now) = (self.clone(), url.clone(), Instant::now());
        let is_due = self.state.send_if_modified(|state| {
            let is_due = !state.checking && now >= state.due;
            if is_due {
                (state.trust, state.checking) = (Trust::Pending, true);
            }
            is_due
        });
        if is_due {
            tokio::spawn(async move {
                if let Err(error) = check.run(&url).await {
                    tracing::error!(
                        hint = error.hint(),
                        "{error}; calls whose signature was removed are refused until it is verified again"
                    );
                }
            });
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
    pub(super) async fn verify(&self, url: &Url) -> Result<(), NotProtected> {
        if !self.settings.audiences.iter().any(|audience| self::url(audience).is_ok()) {
            tracing::warn!(
                %url,
                "no BRIGADE_AUDIENCE is a URL, so it is not verified that BRIGADE_PUBLIC_URL is this service's own: the refusal of \
                 another private service would count. Add this service's URL to BRIGADE_AUDIENCE"
            );
        }
        self.state.send_modify(|state| state.checking = true);
        let url = self.url.get_or_init(|| url.clone());
        self.run(url).await?;
        tracing::info!(%url, "a front end protects this service: it refused a forged token");
        Ok(())
    }

    async fn run(&self, url: &Url) -> Result<(), NotProtected> {
        let verified = self.probe.send(url, &self.settings).await;
        if verified.is_err() {
            self.deny();
        }
        let is_given = self.grant();
        verified?;
        if is_given { Ok(()) } else { Err(NotProtected::Public(url.clone())) }
    }

    /// Ends a check. Whether trust is given: not when it was denied meanwhile.
    fn grant(&self) -> bool {
        self.state.send_modify(|state| {
            state.checking = false;
            if state.trust == Trust::Pending {
                (state.trust, state.due) = (Trust::Given, Instant::now() + VALID_FOR);
            }
        });
        self.state.borrow().trust == Trust::Given
    }

    fn deny(&self) {
        self.state.send_modify(|state| {
            (state.trust, state.due) = (Trust::Denied, Instant::now() + RETRY_AFTER);
        });
    }
}

/// Leaves out the subject by which forged tokens are known.
impl fmt::Debug for FrontEndCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrontEndCheck")
            .field("trust", &self.state.borrow().trust)
            .finish_non_exhaustive()
    }
}
