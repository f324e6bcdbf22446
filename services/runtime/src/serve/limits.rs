//! The limits of one server.

use std::time::Duration;

/// The limits of one server. The defaults close what tonic and hyper leave open: see each field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open connections, and no more than the process's file descriptors allow. For one more the connection that has been idle for
    /// longest is closed; where none is idle, the new one waits.
    pub connections: usize,
    /// Calls in flight over all connections; more are refused at once, with `RESOURCE_EXHAUSTED` or 503. Health checks do not
    /// count.
    pub calls: usize,
    /// Those of them that may wait until their tokens can be checked, because the issuer's keys are not there. More are refused, so
    /// that calls with known keys find a place.
    pub waiting_calls: usize,
    /// HTTP/2 streams of one connection at once.
    pub streams: u32,
    /// Resets that the server sends for malformed streams before the connection is closed.
    pub local_resets: usize,
    /// Resets that a client sends before the server accepts its streams (rapid reset, CVE-2023-44487).
    pub pending_resets: usize,
    /// A request's headers, in bytes. A token of 40 kB fits, so that the guard refuses it with its own words. Each connection may
    /// make the server hold as much.
    pub headers: u32,
    /// How long a client may take for the headers of a request over HTTP/1.1, and how long such a connection may be idle between
    /// requests.
    pub header_time: Duration,
    /// How long an HTTP/2 connection may be silent before the server sends a ping.
    pub keepalive: Duration,
    /// How long the answer to that ping may take, and how long a connection without a call may take to close once it was asked to.
    pub keepalive_time: Duration,
    /// How long a connection may be without a call before the server closes it, also one whose client never sent anything. A call
    /// counts while it is at work, however long it is silent, and while its client reads the response.
    pub idle: Duration,
    /// How long a handler may wait for its request's body, in all.
    pub body_time: Duration,
    /// How old a connection may be before the server closes it after its calls in flight. `None` for no limit.
    pub age: Option<Duration>,
    /// How long calls in flight may take after the shutdown.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4_096,
            // Cloud Run sends an instance 1,000 at most.
            calls: 1_000,
            waiting_calls: 500,
            streams: 100,
            local_resets: 128,
            pending_resets: 20,
            headers: 48 * 1024,
            header_time: Duration::from_secs(30),
            keepalive: Duration::from_secs(30),
            keepalive_time: Duration::from_secs(20),
            // Less than a minute: the connection of a client that calls every minute would close at the moment of each call, and
            // hyper's client fails a call that waits to be sent at that moment.
            idle: Duration::from_secs(50),
            body_time: Duration::from_secs(30),
            age: Some(Duration::from_hours(1)),
            // Cloud Run kills 10 s after SIGTERM; one second is left for what follows.
            grace: Duration::from_secs(9),
        }
    }
}
