//! What one server admits.

use std::time::Duration;

/// What one server admits. The defaults close what tonic and hyper leave open: see each field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once. For one more the connection that has been idle for longest is closed; where none is idle, it waits.
    pub connections: usize,
    /// Calls at once over all connections; more are refused at once, with `RESOURCE_EXHAUSTED` or 503. Health is not
    /// counted.
    pub calls: usize,
    /// HTTP/2 streams of one connection at once.
    pub streams: u32,
    /// Resets that we send for malformed streams before the connection is closed.
    pub local_resets: usize,
    /// Resets that a client sends before we accept its streams (rapid reset, CVE-2023-44487).
    pub pending_resets: usize,
    /// A request's headers, in bytes.
    pub headers: u32,
    /// How long a client may take for its first bytes and for the headers of a request over HTTP/1.1, and how long such
    /// a connection may lie idle in between.
    pub header_time: Duration,
    /// How long an HTTP/2 connection may be silent before it is asked for a sign of life.
    pub keepalive: Duration,
    /// How long that sign may take, and how long a connection without a call may take to end once it was asked to.
    pub keepalive_time: Duration,
    /// How long a connection may lie without a call before its client is asked to open another when it needs one. A call
    /// counts while it is worked on, however long it is silent, and while its client reads its answer.
    pub idle: Duration,
    /// How long the handler of a call may wait for the call's body, in all.
    pub body_time: Duration,
    /// How old a connection may be before its client is asked to open another; calls in flight go on. `None` for ever.
    pub age: Option<Duration>,
    /// How long calls in flight may take after the shutdown.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4_096,
            // An instance on Cloud Run is given 1,000 at most.
            calls: 1_000,
            streams: 100,
            local_resets: 128,
            pending_resets: 20,
            headers: 16 * 1024,
            header_time: Duration::from_secs(30),
            keepalive: Duration::from_secs(30),
            keepalive_time: Duration::from_secs(20),
            // Everything idle is gone in a minute. Not a minute itself: a caller that calls every minute would meet the end of
            // its connection each time, and hyper's client gives up a call that waits to be sent at that moment.
            idle: Duration::from_secs(50),
            body_time: Duration::from_secs(30),
            age: Some(Duration::from_hours(1)),
            // Cloud Run kills 10 s after SIGTERM; a second is left for what comes after.
            grace: Duration::from_secs(9),
        }
    }
}
