//! A service as it is deployed: where its container is, and who may call it.

use std::net::SocketAddr;

/// What Cloud Run takes from an instance by default.
const MAX_IN_FLIGHT: usize = 80;

/// A service as it is deployed: where its container is, and who may call it. Private by default.
///
/// ```
/// # let container = std::net::SocketAddr::from(([127, 0, 0, 1], 9000));
/// let worker = brigade_emulator::frontend::Service::new("worker", container)
///     .invoker("poller@brigade-dev.iam.gserviceaccount.com")
///     .max_in_flight(80);
/// ```
#[derive(Clone, Debug)]
pub struct Service {
    pub(super) name: String,
    pub(super) target: SocketAddr,
    pub(super) http1: bool,
    pub(super) audiences: Vec<String>,
    pub(super) invokers: Vec<String>,
    pub(super) public: bool,
    pub(super) max_in_flight: usize,
    pub(super) pushes: Vec<Push>,
    pub(super) probe: Option<String>,
}

/// Calls on a path that come without a token get this account's.
#[derive(Clone, Debug)]
pub(super) struct Push {
    pub(super) path: String,
    pub(super) account: String,
}

impl Service {
    /// A service whose container listens for h2c at `target`.
    pub fn new(name: &str, target: SocketAddr) -> Self {
        Self {
            name: name.to_owned(),
            target,
            http1: false,
            audiences: Vec::new(),
            invokers: Vec::new(),
            public: false,
            max_in_flight: MAX_IN_FLIGHT,
            pushes: Vec::new(),
            probe: None,
        }
    }

    /// Its container speaks HTTP/1.1 alone, as Cloud Run takes it to do unless end-to-end HTTP/2 is switched on.
    #[must_use]
    pub fn http1(mut self) -> Self {
        self.http1 = true;
        self
    }

    /// Takes tokens for this audience too, as a custom audience of the service; its URL is always one.
    #[must_use]
    pub fn audience(mut self, audience: &str) -> Self {
        self.audiences.push(audience.to_owned());
        self
    }

    /// Grants this account `run.invoker`.
    #[must_use]
    pub fn invoker(mut self, account: &str) -> Self {
        self.invokers.push(account.to_owned());
        self
    }

    /// Grants `allUsers` `run.invoker`: nothing is checked then, and every header arrives as it was sent.
    #[must_use]
    pub fn public(mut self) -> Self {
        self.public = true;
        self
    }

    /// How many calls may be in flight; more are answered 429.
    #[must_use]
    pub fn max_in_flight(mut self, calls: usize) -> Self {
        self.max_in_flight = calls;
        self
    }

    /// Calls on this path are made to be refused, so their refusal is no news for the log.
    #[must_use]
    pub fn probe(mut self, path: &str) -> Self {
        self.probe = Some(path.to_owned());
        self
    }

    /// Adds this account's token to calls on `path` that come without one. Pub/Sub pushes with a token; its emulator
    /// sends none.
    #[must_use]
    pub fn push_from(mut self, path: &str, account: &str) -> Self {
        self.pushes.push(Push { path: path.to_owned(), account: account.to_owned() });
        self
    }
}
